"""Who works: live Job pods, and GPUs that wait for one. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from mediatask_common.kube import Object
from mediatask_common.times import rfc3339
from mediatask_crds.names import LABEL_CLASS, LABEL_PROJECT, LABEL_TASK

from ..pods.usages import UsageReport
from .schemas import WorkerAnswer, WorkersAnswer


def is_gpu(resource: str) -> bool:
    """Whether an extended resource is a whole GPU: `nvidia.com/gpu`, `amd.com/gpu`."""
    return resource.endswith("/gpu")


def live(pods: Iterable[Object]) -> list[Object]:
    """The pods that work or are about to."""
    return [pod for pod in pods if _phase(pod) in ("Pending", "Running")]


def workers_status(
    pods: Sequence[Object],
    nodes: Iterable[Object],
    usages: Mapping[str, UsageReport],
    may_see: Callable[[str], bool],
) -> WorkersAnswer:
    """The answer for the pods of tasks and the nodes, as far as they can be read.

    Args:
        usages: what pods have reported lately, by UID.
        may_see: whether the caller may know the tasks of a project (by its label value).
    """
    nodes_by_name = {node["metadata"]["name"]: node for node in nodes}
    working = live(pods)
    completed = Counter(_node_name(pod) for pod in pods if _phase(pod) == "Succeeded" and may_see(_project(pod)))
    workers = []
    for pod in working:
        seen, name = may_see(_project(pod)), _node_name(pod)
        usage = usages.get(pod["metadata"]["uid"]) if seen else None
        workers.append(_busy(pod, nodes_by_name.get(name), completed[name], usage, seen=seen))
    used: Counter[str] = Counter()
    for pod in working:
        used[_node_name(pod)] += _gpus_of_pod(pod)
    total = 0
    for name, node in sorted(nodes_by_name.items()):
        gpus = _gpus_of_node(node)
        total += gpus
        workers += [_idle(name, slot, node, completed[name]) for slot in range(used[name], gpus)]
    return WorkersAnswer(
        workers=workers,
        total_workers=len(workers),
        active_workers=sum(worker.status == "busy" for worker in workers),
        gpu_utilization=round(min(1.0, sum(used[name] for name in nodes_by_name) / total), 4) if total else 0.0,
    )


def _busy(pod: Object, node: Object | None, completed: int, report: UsageReport | None, *, seen: bool) -> WorkerAnswer:
    usage = report.usage if report else None
    measured = usage.gpu_utilization if usage else None
    assigned = 1.0 if _gpus_of_pod(pod) else 0.0
    labels = pod["metadata"].get("labels") or {}
    return WorkerAnswer(
        # Not the pod's name, which tells the task's to those who may not know it.
        worker_id=f"worker-{pod['metadata']['uid'][:8]}",
        worker_type=labels.get(LABEL_CLASS, "unknown"),
        status="busy" if pod["status"]["phase"] == "Running" else "starting",
        current_task_id=labels.get(LABEL_TASK) if seen else None,
        gpu_utilization=assigned if measured is None else round(measured, 4),
        gpu_utilization_source="assigned" if measured is None else "measured",
        memory_usage=usage.memory_used if usage else None,
        memory_total=usage.memory_total if usage else None,
        memory_kind=usage.memory_kind if usage else None,
        tasks_completed=completed,
        last_heartbeat=rfc3339(report.at) if report else _last_sign(pod, node),
    )


def _idle(node_name: str, slot: int, node: Object, completed: int) -> WorkerAnswer:
    return WorkerAnswer(
        worker_id=f"slot-{node_name}-{slot}",
        worker_type="gpu",
        status="idle",
        current_task_id=None,
        gpu_utilization=0.0,
        gpu_utilization_source="assigned",
        memory_usage=None,
        memory_total=None,
        memory_kind=None,
        tasks_completed=completed,
        last_heartbeat=_heartbeat(node),
    )


def _phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase"))


def _node_name(pod: Object) -> str:
    return str(pod["spec"].get("nodeName", ""))


def _project(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get(LABEL_PROJECT, ""))


def _last_sign(pod: Object, node: Object | None) -> str:
    found: str = _heartbeat(node) or pod["status"].get("startTime") or pod["metadata"]["creationTimestamp"]
    return found


def _heartbeat(node: Object | None) -> str | None:
    conditions = ((node or {}).get("status") or {}).get("conditions") or []
    beats = [condition.get("lastHeartbeatTime") for condition in conditions if condition.get("type") == "Ready"]
    return beats[0] if beats else None


def _gpus_of_pod(pod: Object) -> int:
    limits = [(container.get("resources") or {}).get("limits") or {} for container in pod["spec"]["containers"]]
    return sum(int(amount) for limit in limits for resource, amount in limit.items() if is_gpu(resource))


def _gpus_of_node(node: Object) -> int:
    if (node.get("spec") or {}).get("unschedulable"):
        return 0
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    return sum(int(amount) for resource, amount in allocatable.items() if is_gpu(resource))
