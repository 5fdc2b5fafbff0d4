"""Binds pods to the only node while they fit, by priority, then age. The decision (`place`) is pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

from mediatask_common.kube import PODS, Kube, KubeError, Object
from mediatask_common.times import utcnow

from ..conditions import condition, set_condition
from ..events import Events
from ..pods.podstate import is_deleting, is_terminal, node_of, requests
from ..watching.informer import Informer, Key, key_of

COMPONENT = "default-scheduler"


@dataclass(frozen=True)
class Binding:
    pod: Object


@dataclass(frozen=True)
class Unschedulable:
    pod: Object
    message: str


def place(pods: list[Object], node: Object) -> list[Binding | Unschedulable]:
    """The decision for each pending pod. A pod that does not fit does not block smaller ones behind it."""
    free = {name: parse_quantity(quantity) for name, quantity in node["status"]["allocatable"].items()}
    waiting = []
    for pod in pods:
        if node_of(pod) is None:
            if not is_terminal(pod) and not is_deleting(pod) and not pod["spec"].get("schedulingGates"):
                waiting.append(pod)
        elif not is_terminal(pod):
            _take(free, pod)
    waiting.sort(key=lambda pod: (-pod["spec"].get("priority", 0), pod["metadata"]["creationTimestamp"]))
    placed: list[Binding | Unschedulable] = []
    for pod in waiting:
        reason = _refusal(pod, node, free)
        if reason:
            placed.append(Unschedulable(pod, f"0/1 nodes are available: {reason}."))
        else:
            _take(free, pod)
            placed.append(Binding(pod))
    return placed


def _take(free: dict[str, Decimal], pod: Object) -> None:
    for name, quantity in {**requests(pod), "pods": Decimal(1)}.items():
        free[name] = free.get(name, Decimal(0)) - quantity


def _refusal(pod: Object, node: Object, free: dict[str, Decimal]) -> str:
    labels = node["metadata"]["labels"]
    if any(labels.get(name) != value for name, value in (pod["spec"].get("nodeSelector") or {}).items()):
        return "1 node(s) didn't match Pod's node affinity/selector"
    short = [
        f"1 Insufficient {name}" if name != "pods" else "1 Too many pods"
        for name, quantity in {**requests(pod), "pods": Decimal(1)}.items()
        if quantity > free.get(name, Decimal(0)) and quantity > 0
    ]
    return ", ".join(short)


class Scheduler:
    """Binds the pods that `place` finds room for, and records why the others are pending."""

    def __init__(self, kube: Kube, pods: Informer, node: Object, events: Events) -> None:
        self._kube = kube
        self._pods = pods
        self._node = node
        self._events = events

    async def reconcile(self, _key: Key) -> float | None:
        """Consider all pending pods, whatever the key."""
        if not self._pods.synced.is_set():
            return 0.05
        for decision in place(list(self._pods), self._node):
            try:
                if isinstance(decision, Binding):
                    await self._bind(decision.pod)
                else:
                    await self._explain(decision.pod, decision.message)
            except KubeError as error:
                # Deleted or changed in between: the watch event causes another reconcile.
                if not error.not_found and error.status != 409:
                    raise
        return None

    async def _bind(self, pod: Object) -> None:
        namespace, name = key_of(pod)
        target = self._node["metadata"]["name"]
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace, "uid": pod["metadata"]["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": target},
        }
        await self._kube.request("POST", PODS.path(namespace, name, "binding"), body)
        self._pods.observe(await self._kube.get(PODS, name, namespace))
        self._events.emit(COMPONENT, pod, "Pod", "Scheduled", f"Successfully assigned {namespace}/{name} to {target}")

    async def _explain(self, pod: Object, message: str) -> None:
        known = condition(pod, "PodScheduled")
        if known is not None and known.get("message") == message:
            return
        namespace, name = key_of(pod)
        old = pod.get("status", {}).get("conditions") or []
        conditions = set_condition(old, "PodScheduled", False, utcnow(), "Unschedulable", message)
        body = {
            "metadata": {"resourceVersion": pod["metadata"]["resourceVersion"]},
            "status": {"phase": "Pending", "conditions": conditions},
        }
        self._pods.observe(await self._kube.patch(PODS, name, body, namespace, subresource="status"))
        self._events.emit(COMPONENT, pod, "Pod", "FailedScheduling", message, warning=True)
