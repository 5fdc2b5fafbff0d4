"""The reconcile rule under random histories: what must hold whatever happens, in whatever order."""

from __future__ import annotations

import copy

import orjson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mediatask_crds.podcontract import ENV_SPEC
from mediatask_crds.task import Event, MediaTaskStatus
from mediatask_operator.deciding.memory import MemoryPolicy
from mediatask_operator.deciding.observation import Context, Delivery, Memory, Registration, StoreAway, Task
from mediatask_operator.deciding.plan import CreateJob, PatchStatus
from mediatask_operator.deciding.registration import RegistrationPolicy
from mediatask_operator.effects.message import body
from support.taskworld import LAST_WORDS, World, a_class, a_task

EXIT_CODES = st.sampled_from([0, 0, 1, 10, 12, 20, 30, 75, 137, 143])
TERMINAL = {"completed", "failed", "cancelled"}


KEY = "projects/p1/uid/context.json"


class Histories(RuleBasedStateMachine):
    """A cluster, a user and a failing operator process take turns."""

    def __init__(self) -> None:
        super().__init__()
        callback = {"url": "https://example.com/hook", "events": list(Event)}
        self.world = World(task=a_task(callback=callback), published=False, registering=RegistrationPolicy())
        self.world.classes["image"] = a_class(fallbackClass="big", retry={"limit": 2})
        self.world.classes["big"] = a_class(default=False)
        self.ended: tuple[str, int] | None = None
        self.attempt = 0
        self.told: dict[str, bytes] = {}

    # ---- the operator

    @rule(times=st.integers(1, 3))
    def reconcile(self, times: int) -> None:
        for _ in range(times):
            self.world.reconcile()
            self.check()

    @rule()
    def crash_before_the_status_is_written(self) -> None:
        self.world.reconcile(write_lost=True)
        self.world.proof = self.world.delivery = self.world.registration = None
        self.world.context = self.world.memory = None
        self.check()

    @rule()
    def settle(self) -> None:
        self.world.settle()
        self.check()
        # At rest the rule has nothing more to say: no write, no Job.
        rest = self.world.reconcile()
        assert not any(isinstance(action, PatchStatus | CreateJob) for action in rest.actions)
        # A cancelled task waits until its Job is gone, also after its pod has ended.
        stopping = any("deletionTimestamp" in job["metadata"] for job in self.world.jobs)
        if self.world.phase == "processing" and not stopping:
            assert self.world.running_pods(), "status says processing, and no pod runs"

    # ---- the cluster

    @rule(seconds=st.sampled_from([1, 10, 400, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.world.advance(seconds)

    @rule(code=EXIT_CODES, told=st.booleans())
    def a_pod_ends(self, code: int, told: bool) -> None:
        for pod in self.world.running_pods()[:1]:
            self.world.published = code == 0
            self.world.end(pod, code, message=LAST_WORDS if told and code == 0 else "")

    @rule()
    def the_job_controller_acts(self) -> None:
        for job in self.world.jobs:
            uid = job["metadata"]["uid"]
            pods = [p for p in self.world.pods if p["metadata"]["ownerReferences"][0]["uid"] == uid]
            if "deletionTimestamp" in job["metadata"] or (job.get("status") or {}).get("conditions"):
                continue
            if not pods:
                self.world.pod(job)
            elif all(pod["status"]["phase"] == "Failed" for pod in pods):
                last = pods[-1]["status"].get("conditions", [])
                if any(condition["type"] == "DisruptionTarget" for condition in last):
                    self.world.pod(job)
                else:
                    self.world.fail_job(job)

    @rule()
    def the_kubelet_starts_pods(self) -> None:
        for pod in self.world.pods:
            waiting = pod["status"]["phase"] == "Pending" and not pod.get("gone")
            if waiting and "deletionTimestamp" not in pod["metadata"]:
                self.world.start(pod)

    @rule()
    def a_pod_is_disrupted(self) -> None:
        for pod in self.world.running_pods()[:1]:
            self.world.disrupt(pod)
            self.world.end(pod, 143)

    @rule()
    def a_pod_vanishes(self) -> None:
        for pod in self.world.running_pods()[:1]:
            self.world.remove_pod(pod)

    @rule()
    def deletions_finish(self) -> None:
        self.world.finish_deletions()

    @precondition(lambda self: self.world.jobs)
    @rule()
    def a_job_is_deleted_by_hand(self) -> None:
        self.world.delete_job(self.world.jobs[-1]["metadata"]["name"])

    @rule()
    def the_store_is_away(self) -> None:
        self.world.proof = StoreAway("no route to the store")

    @rule(admitted=st.booleans(), position=st.integers(1, 50))
    def the_queue_moves(self, admitted: bool, position: int) -> None:
        self.world.admitted, self.world.position = admitted, position

    @rule(ok=st.booleans(), code=st.sampled_from([200, 410, 500, None]))
    def a_webhook_is_tried(self, ok: bool, code: int | None) -> None:
        if self.world.webhooks:
            sent = self.world.webhooks[-1]
            delivered = ok and code == 200
            self.world.delivery = Delivery(sent.webhook_id, sent.number, delivered, code, permanent=code == 410)

    @rule(ok=st.booleans(), permanent=st.booleans())
    def a_registration_is_tried(self, ok: bool, permanent: bool) -> None:
        if self.world.registrations:
            number = self.world.registrations[-1].number
            self.world.registration = Registration(number, "64f1" if ok else None, permanent=permanent)

    # ---- the user

    @precondition(lambda self: not self.world.task["spec"].get("cancel"))
    @rule()
    def cancel(self) -> None:
        self.world.spec(cancel=True)

    @precondition(lambda self: self.world.phase in ("failed", "cancelled"))
    @rule()
    def retry(self) -> None:
        self.world.spec(cancel=False, retryRequest=self.world.task["spec"].get("retryRequest", 0) + 1)

    # ---- what must hold

    def told_of_the_document(self) -> None:
        """A message says of the document what it said at its first try."""
        task = Task.parse(self.world.task)
        if task.status.callback is not None:
            known = body(task, task.status.callback.event, lambda key, at: "https://media")
            assert self.told.setdefault(task.status.callback.id, known) == known

    def check(self) -> None:
        status = self.world.status
        attempt = status.get("attempt", 0)
        assert attempt >= self.attempt, "attempts never go back"
        self.attempt = attempt
        numbers = [entry["number"] for entry in status.get("attempts", [])]
        assert numbers == sorted(set(numbers)), "attempts are numbered once each"
        phase = self.world.phase
        if self.ended is not None:
            before, asked = self.ended
            if self.world.task["spec"].get("retryRequest", 0) == asked:
                assert phase == before, "an end is final until a retry is asked for"
        self.ended = (
            (phase, self.world.task["spec"].get("retryRequest", 0))
            if phase in TERMINAL and status.get("round", 0) == self.world.task["spec"].get("retryRequest", 0)
            else None
        )
        self.told_of_the_document()
        if phase in ("failed", "cancelled"):
            assert not self.world.running_pods(), f"{phase}, and a pod runs"

    @invariant()
    def no_two_attempts_at_work(self) -> None:
        assert len(self.world.attempts_at_work()) <= 1

    @invariant()
    def the_status_is_one_that_the_resource_allows(self) -> None:
        MediaTaskStatus.model_validate(copy.deepcopy(self.world.status))
        true = {c["type"] for c in self.world.status.get("conditions", []) if c["status"] == "True"}
        assert len(true & {"Complete", "Failed", "Cancelled"}) <= 1


class HistoriesWithABrain(Histories):
    """The same of a class that asks the Brain, which answers, or not, whenever it likes."""

    def __init__(self) -> None:
        super().__init__()
        brain = {"questions": [{"ask": "Similar"}], "failurePolicy": "Closed"}
        self.world.classes["image"] = a_class(fallbackClass="big", retry={"limit": 2}, brain=brain)
        self.world.has_brain, self.world.remembering = True, MemoryPolicy()
        self.settled: object = None

    @rule(ok=st.sampled_from([True, True, False]), adds=st.booleans())
    def the_brain_is_asked(self, ok: bool, adds: bool) -> None:
        if self.world.asked:
            found = {"key": KEY, "sha256": "a" * 64} if ok and adds else {}
            self.world.context = Context(self.world.asked[-1].number, settled=ok, **found)

    @rule(ok=st.booleans(), permanent=st.booleans())
    def the_brain_is_told(self, ok: bool, permanent: bool) -> None:
        if self.world.stored:
            self.world.memory = Memory(self.world.stored[-1].number, ok, permanent=permanent)

    @invariant()
    def every_job_runs_with_what_is_on_record(self) -> None:
        context = self.world.status.get("context") or {}
        if self.settled is not None:
            assert context == self.settled, "what is settled is settled for good"
        if context.get("decidedAt"):
            self.settled = context
        for job in self.world.jobs:
            assert context.get("decidedAt"), "no Job before it is on record what it runs with"
            env = job["spec"]["template"]["spec"]["containers"][0]["env"]
            spec = orjson.loads(next(one["value"] for one in env if one["name"] == ENV_SPEC))
            assert (spec.get("data") is None) == ("key" in context)


TestHistories = Histories.TestCase
TestHistoriesWithABrain = HistoriesWithABrain.TestCase
TestHistories.settings = TestHistoriesWithABrain.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
