"""A cluster in miniature for the pure rule: one task, its Jobs and pods, and a clock; plans are carried out on it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mediatask_common.times import rfc3339
from mediatask_crds import names
from mediatask_crds.podcontract import Artifact, JobResult, TerminationMessage
from mediatask_crds.taskclass import MediaTaskClassSpec
from mediatask_operator.acting.job import JobOptions, render
from mediatask_operator.deciding.attempts import may_still_run
from mediatask_operator.deciding.budgets import Budgets, expected
from mediatask_operator.deciding.charges import Holding
from mediatask_operator.deciding.classes import resolve
from mediatask_operator.deciding.memory import MemoryPolicy
from mediatask_operator.deciding.moderation import ModerationPolicy
from mediatask_operator.deciding.observation import (
    Context,
    Delivery,
    Memory,
    Moderation,
    NotPublished,
    Observed,
    Proof,
    Published,
    Refusal,
    Registration,
    RulesInUse,
    Task,
    Turn,
)
from mediatask_operator.deciding.plan import (
    AskBrain,
    CheckRequest,
    CreateJob,
    DeleteJob,
    DeletePod,
    KeepLog,
    PatchStatus,
    Plan,
    ReadResult,
    RegisterMedia,
    RequeueAfter,
    SendWebhook,
    TellBrain,
)
from mediatask_operator.deciding.reasons import Reason
from mediatask_operator.deciding.reconcile import Policy, decide
from mediatask_operator.deciding.registration import RegistrationPolicy
from mediatask_operator.objects import attempt_number

Object = dict[str, Any]

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
UID = "0a4e4c6e-6c55-4a6c-9a53-6f9a8d4f1a11"
RESULT = JobResult(
    artifacts=[
        Artifact(
            name="image.png",
            key=f"projects/p1/{UID}/1/image.png",
            sha256="a" * 64,
            bytes=3,
            content_type="image/png",
        )
    ],
    metadata={"width": 64, "seed": 7},
    timings={"infer": 1.5},
)
LAST_WORDS = TerminationMessage(result=RESULT).model_dump_json(exclude_none=True)


def a_class(**spec: Any) -> MediaTaskClassSpec:
    """A default class for pictures."""
    given = {"taskTypes": ["generate_image"], "image": "python", "default": True, **spec}
    return MediaTaskClassSpec.model_validate(given)


def a_task(**spec: Any) -> Object:
    """A task as the cache holds it."""
    return {
        "metadata": {
            "name": "scene-1",
            "namespace": "default",
            "uid": UID,
            "resourceVersion": "1",
            "generation": 1,
            "creationTimestamp": rfc3339(START),
        },
        "spec": {"projectId": "p1", "taskType": "generate_image", **spec},
    }


@dataclass
class World:
    """What there is. Tests change it as a cluster would, and call `reconcile`."""

    task: Object = field(default_factory=a_task)
    classes: dict[str, MediaTaskClassSpec] = field(default_factory=lambda: {"image": a_class()})
    jobs: list[Object] = field(default_factory=list)
    pods: list[Object] = field(default_factory=list)
    now: datetime = START
    admitted: bool = True
    position: int = 1
    published: bool = True
    """What the store says of a result when it is asked."""
    data: Object = field(default_factory=lambda: {"prompt": "x"})
    refusal: Refusal | None = None
    proof: Proof | None = None
    delivery: Delivery | None = None
    registration: Registration | None = None
    hurried: int | None = None
    registering: RegistrationPolicy | None = None
    context: Context | None = None
    memory: Memory | None = None
    has_brain: bool = False
    remembering: MemoryPolicy | None = None
    moderation: Moderation | None = None
    rules: RulesInUse | None = None
    moderating: ModerationPolicy = field(default_factory=ModerationPolicy)
    result: JobResult = field(default_factory=lambda: RESULT)
    unwritable: str | None = None
    budgets: Budgets | None = None
    status_delay: timedelta = timedelta(0)
    plans: list[Plan] = field(default_factory=list)
    moments: list[datetime] = field(default_factory=list)
    """When each of the plans was made."""
    webhooks: list[SendWebhook] = field(default_factory=list)
    registrations: list[RegisterMedia] = field(default_factory=list)
    checks: list[CheckRequest] = field(default_factory=list)
    asked: list[AskBrain] = field(default_factory=list)
    stored: list[TellBrain] = field(default_factory=list)
    logs: set[tuple[int, str]] = field(default_factory=set)
    """Attempts and pods whose logs were to be kept."""
    writes: int = 0
    serial: int = 1

    # ---- the operator's side

    @property
    def policy(self) -> Policy:
        return Policy(self.status_delay, self.registering, self.has_brain, self.remembering, self.moderating)

    def observe(self) -> Observed:
        task = Task.parse(self.task)
        return Observed(
            task=task,
            task_class=resolve(task.spec, task.status, self.classes),
            jobs=tuple(copy.deepcopy(self.jobs)),
            pods=tuple(copy.deepcopy(self.pods)),
            turn=self._turn(task),
            data=self.data,
            proof=self.proof,
            refusal=self.refusal,
            delivery=self.delivery,
            registration=self.registration,
            context=self.context,
            memory=self.memory,
            hurried=self.hurried,
            moderation=self.moderation,
            rules=self.rules,
            unwritable=self.unwritable,
        )

    def _turn(self, task: Task) -> Turn:
        over = None
        if self.budgets is not None:
            rate = Holding.of(task.spec, resolve(task.spec, task.status, self.classes)).rate
            over = self.budgets.in_the_way(task.key, task.rank, expected(task.spec.project_id, rate, 60), self.now)
        admitted = self.admitted and over is None
        return Turn(admitted, 0 if admitted else self.position, wait_seconds=60, over_budget=over)

    def reconcile(self, *, write_lost: bool = False) -> Plan:
        """One pass; with `write_lost` the process dies between creating a Job and writing the status."""
        attempt = self.status.get("attempt")
        seen = self.observe()
        plan = decide(seen, self.now, self.policy)
        self.plans.append(plan)
        self.moments.append(self.now)
        for action in plan.actions:
            match action:
                case CreateJob():
                    rendered = render(
                        seen.task,
                        action.data,
                        action.attempt,
                        action.task_class,
                        JobOptions("http://api"),
                        action.avoid_nodes,
                        action.previews,
                    )
                    self.jobs.append(self._stored(rendered))
                    if write_lost:
                        break
                case PatchStatus():
                    self.task["status"] = merge(self.task.get("status") or {}, action.patch)
                    self.writes += 1
                case DeleteJob():
                    self.delete_job(action.name)
                case DeletePod():
                    self._delete_pod(next(pod for pod in self.pods if pod["metadata"]["uid"] == action.uid), 5)
                case ReadResult():
                    none = NotPublished(Reason.NO_RESULT, "no result")
                    self.proof = Published(self.result, "https://media/image.png") if self.published else none
                case SendWebhook():
                    self.webhooks.append(action)
                case RegisterMedia():
                    self.registrations.append(action)
                case CheckRequest():
                    self.checks.append(action)
                case AskBrain():
                    self.asked.append(action)
                case TellBrain():
                    self.stored.append(action)
                case KeepLog():
                    self.logs.add((action.attempt, action.pod_name))
        if self.status.get("attempt") != attempt:
            self.proof = self.refusal = None
        return plan

    def settle(self) -> None:
        """Reconcile until there is nothing more to do at this moment."""
        for _ in range(12):
            before = (copy.deepcopy(self.task), len(self.jobs), self.proof)
            self.reconcile()
            if (self.task, len(self.jobs), self.proof) == before:
                return
        raise AssertionError(f"the rule does not come to rest: {self.plans[-2:]}")

    # ---- what can be seen

    @property
    def status(self) -> Object:
        return self.task.get("status") or {}

    @property
    def phase(self) -> str | None:
        return self.status.get("phase")

    def condition(self, kind: str) -> Object:
        return next((c for c in self.status.get("conditions", []) if c["type"] == kind), {})

    def holds(self, kind: str) -> bool:
        return bool(self.condition(kind).get("status") == "True")

    # ---- the cluster's side

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def spec(self, **changes: Any) -> None:
        """The user edits the task."""
        self.task["spec"] |= changes
        self.task["metadata"]["generation"] += 1

    def pod(self, job: Object | None = None) -> Object:
        """The Job controller creates a pod."""
        owner = job or self.jobs[-1]
        self.serial += 1
        template = owner["spec"]["template"]["metadata"]
        pod = self._stored({"metadata": copy.deepcopy(template), "spec": {}, "status": {"phase": "Pending"}})
        pod["metadata"] |= {
            "name": f"{owner['metadata']['name']}-{self.serial}",
            "ownerReferences": [
                {"kind": "Job", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"], "controller": True}
            ],
        }
        self.pods.append(pod)
        return pod

    def start(self, pod: Object | None = None, node: str = "node-1") -> Object:
        """The pod's container starts."""
        pod = pod or self.pod()
        pod["spec"]["nodeName"] = node
        pod["status"] = {
            "phase": "Running",
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": rfc3339(self.now)}],
            "containerStatuses": [{"name": names.CONTAINER, "state": {"running": {"startedAt": rfc3339(self.now)}}}],
        }
        return pod

    def waits(self, pod: Object, reason: str, message: str = "") -> None:
        """The pod's container cannot start."""
        pod["status"]["containerStatuses"] = [
            {"name": names.CONTAINER, "state": {"waiting": {"reason": reason, "message": message}}}
        ]

    def end(self, pod: Object, code: int, *, message: str = "", reason: str = "Error") -> None:
        """The pod's container ends."""
        pod["status"]["phase"] = "Failed" if code else "Succeeded"
        running = (pod["status"].get("containerStatuses") or [{}])[0].get("state", {}).get("running", {})
        pod["status"]["containerStatuses"] = [
            {
                "name": names.CONTAINER,
                "state": {
                    "terminated": {
                        "exitCode": code,
                        "reason": reason,
                        "message": message,
                        "startedAt": running.get("startedAt"),
                        "finishedAt": rfc3339(self.now),
                    }
                },
            }
        ]

    def disrupt(self, pod: Object, reason: str = "PreemptionByScheduler") -> None:
        """The cluster needs the pod's place."""
        pod["status"].setdefault("conditions", []).append(
            {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "made room"}
        )

    def remove_pod(self, pod: Object) -> None:
        """The pod is gone from the API; the cache keeps what it said last."""
        pod["gone"] = True

    def delete_job(self, name: str) -> None:
        """The Job is deleted, in the foreground."""
        job = next(job for job in self.jobs if job["metadata"]["name"] == name)
        job["metadata"].setdefault("deletionTimestamp", rfc3339(self.now))
        for pod in self.pods:
            if pod["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]:
                self._delete_pod(pod, 30)
        self.collect()

    def finish_deletions(self) -> None:
        """The kubelet has stopped what was to be stopped."""
        for pod in self.pods:
            if "deletionTimestamp" in pod["metadata"] and not pod.get("gone"):
                if "running" in (pod["status"].get("containerStatuses") or [{}])[0].get("state", {}):
                    self.end(pod, 143)
                pod["gone"] = True
        self.collect()

    def collect(self) -> None:
        """Garbage collection: a Job goes when its last pod has gone."""
        for job in list(self.jobs):
            left = [
                pod
                for pod in self.pods
                if pod["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"] and not pod.get("gone")
            ]
            if "deletionTimestamp" in job["metadata"] and not left:
                self.jobs.remove(job)

    def fail_job(self, job: Object, reason: str = "BackoffLimitExceeded") -> None:
        """The Job controller reports the failure."""
        job["status"] = {"conditions": [{"type": "Failed", "status": "True", "reason": reason, "message": "failed"}]}

    def running_pods(self) -> list[Object]:
        """Pods whose container runs, as far as anybody can know: those on a lost node are beyond reach."""
        return [
            pod
            for pod in self.pods
            if may_still_run(pod, self.now)
            and "running" in (pod["status"].get("containerStatuses") or [{}])[0].get("state", {})
        ]

    def attempts_at_work(self) -> set[int]:
        """Attempts of which something may run, or may be started by the Job controller."""
        numbers = {attempt_number(pod) for pod in self.running_pods()}
        for job in self.jobs:
            pods = [p for p in self.pods if p["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]]
            finished = bool((job.get("status") or {}).get("conditions"))
            if not finished and "deletionTimestamp" not in job["metadata"] and not pods:
                numbers.add(attempt_number(job))
        return numbers

    def _delete_pod(self, pod: Object, grace: int) -> None:
        meta = pod["metadata"]
        meta.setdefault("deletionTimestamp", rfc3339(self.now + timedelta(seconds=grace)))
        meta["deletionGracePeriodSeconds"] = min(meta.get("deletionGracePeriodSeconds", grace), grace)

    def _stored(self, obj: Object) -> Object:
        self.serial += 1
        stored = copy.deepcopy(obj)
        stored["metadata"] |= {
            "uid": f"uid-{self.serial}",
            "resourceVersion": str(self.serial),
            "creationTimestamp": rfc3339(self.now),
        }
        return stored


def merge(target: Object, patch: Object) -> Object:
    """RFC 7396, as the API server applies it."""
    out = dict(target)
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict):
            out[key] = merge(out[key] if isinstance(out.get(key), dict) else {}, value)
        else:
            out[key] = value
    return out


def run_pod(world: World) -> Object:
    """The task gets a Job, its pod starts, and the status says so; the pod."""
    world.settle()
    pod = world.start()
    world.settle()
    return pod


def failing(world: World, code: int) -> None:
    """The attempt starts, runs and ends with an exit code; the store has nothing of it."""
    world.published = False
    world.settle()
    world.end(world.start(), code)
    world.settle()


def looks_again(plan: Plan) -> list[float]:
    """The seconds after which the plan wants the task to be looked at again."""
    return [action.seconds for action in plan.actions if isinstance(action, RequeueAfter)]
