"""The whole operator against an API server: pods are played by the test, everything else is real."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mediatask_common.kube import CLASSES, EVENTS, JOBS, PODS, TASKS, Kube, KubeError, Object
from mediatask_common.kube import client as kube_client
from mediatask_common.settings import StoreSettings
from mediatask_common.store import artifact_key, open_store
from mediatask_common.times import rfc3339, utcnow
from mediatask_crds.names import ANNOTATION_TASK, CONTAINER, LABEL_MANAGED_BY
from mediatask_crds.podcontract import Artifact, JobResult, JobSpec, TerminationMessage
from mediatask_operator.acting import executor
from mediatask_operator.acting.api_writer import ApiWriter
from mediatask_operator.acting.events import EventPoster
from mediatask_operator.acting.job import JobOptions
from mediatask_operator.acting.reporter import Reporter
from mediatask_operator.controller import Controller
from mediatask_operator.deciding.admission import AdmissionQueue
from mediatask_operator.deciding.budgets import Budgets
from mediatask_operator.deciding.observation import Task
from mediatask_operator.deciding.plan import PostEvent
from mediatask_operator.deciding.reconcile import Policy
from mediatask_operator.deciding.tuning import Pauses
from mediatask_operator.effects.base import Effects
from mediatask_operator.main import run
from mediatask_operator.metrics import Metrics
from mediatask_operator.objects import Key, job_name
from mediatask_operator.settings import OperatorSettings
from mediatask_operator.slots import Slots
from mediatask_operator.watching.cache import Cache
from mediatask_operator.watching.expectations import Expectations
from mediatask_operator.watching.observer import Observer
from mediatask_operator.workqueue import TokenBucket, WorkQueue
from support.apiserver import embedded_apiserver
from support.jobs import eventually, job_object

NAMESPACE = "default"
MEDIA = b"a picture"


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with embedded_apiserver(tmp_path_factory.mktemp("apiserver")) as path:
        yield path


class Cluster:
    """What users, the Job controller and the kubelet do."""

    def __init__(self, kube: Kube, settings: OperatorSettings) -> None:
        self.kube = kube
        self.settings = settings
        self.store = open_store(settings.store)

    async def task(self, name: str, **spec: Any) -> Object:
        body = {
            "apiVersion": "tasks.ft.tc/v1alpha1",
            "kind": "MediaTask",
            "metadata": {"name": name},
            "spec": {
                "projectId": "p1",
                "taskType": "generate_image",
                "className": "image",
                "taskData": {"prompt": "x"},
                **spec,
            },
        }
        return await self.kube.create(TASKS, body, NAMESPACE)

    async def task_class(self, name: str, **spec: Any) -> None:
        body = {
            "apiVersion": "tasks.ft.tc/v1alpha1",
            "kind": "MediaTaskClass",
            "metadata": {"name": name},
            "spec": {"taskTypes": ["generate_image"], "image": "python", **spec},
        }
        await self.kube.create(CLASSES, body)

    async def status(self, name: str) -> Object:
        found: Object = (await self.kube.get(TASKS, name, NAMESPACE)).get("status") or {}
        return found

    async def until(self, name: str, holds: Callable[[Object], Any]) -> Object:
        found: Object = await eventually(lambda: self.status(name), holds)
        return found

    async def job(self, name: str, attempt: int = 1) -> Object:
        status = await self.until(name, lambda status: status.get("attempt") == attempt)
        return await self.kube.get(JOBS, status["attempts"][-1]["jobName"], NAMESPACE)

    async def start_pod(self, job: Object, *, told: bool = True, **spec: Any) -> Object:
        """Its pod runs; where it is not `told`, no watch of the operator sees it."""
        template = job["spec"]["template"]
        owner = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": job["metadata"]["name"],
            "uid": job["metadata"]["uid"],
            "controller": True,
        }
        meta = {**template["metadata"], "name": f"{job['metadata']['name']}-x", "ownerReferences": [owner]}
        if not told:
            meta["labels"] = {key: value for key, value in meta["labels"].items() if key != LABEL_MANAGED_BY}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"] | spec}
        pod = await self.kube.create(PODS, body, NAMESPACE)
        return await self.pod_state(pod, "Running", {"running": {"startedAt": rfc3339(utcnow())}})

    async def pod_state(self, pod: Object, phase: str, state: Object) -> Object:
        container = {
            "name": CONTAINER,
            "state": state,
            "image": "python",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
        }
        body = {"status": {"phase": phase, "containerStatuses": [container]}}
        return await self.kube.patch(PODS, pod["metadata"]["name"], body, NAMESPACE, subresource="status")

    async def complete(self, job: Object) -> None:
        """The Job controller is done with the Job."""
        now = rfc3339(utcnow())
        conditions = [
            {"type": kind, "status": "True", "reason": "CompletionsReached", "lastTransitionTime": now}
            for kind in ("SuccessCriteriaMet", "Complete")
        ]
        body = {"status": {"conditions": conditions, "startTime": now, "completionTime": now, "succeeded": 1}}
        await self.kube.patch(JOBS, job["metadata"]["name"], body, NAMESPACE, subresource="status")

    async def finish(self, pod: Object, task: Object, *, code: int = 0) -> None:
        """The job stores its media and ends."""
        words = ""
        if code == 0:
            key = artifact_key("p1", task["metadata"]["uid"], 1, "image.png")
            await self.store.create(key, MEDIA, "image/png")
            artifact = Artifact(
                name="image.png",
                key=key,
                sha256=hashlib.sha256(MEDIA).hexdigest(),
                bytes=len(MEDIA),
                content_type="image/png",
            )
            words = TerminationMessage(result=JobResult(artifacts=[artifact], metadata={"width": 64})).model_dump_json(
                exclude_none=True
            )
        ended = {
            "exitCode": code,
            "message": words,
            "startedAt": rfc3339(utcnow()),
            "finishedAt": rfc3339(utcnow()),
        }
        await self.pod_state(pod, "Failed" if code else "Succeeded", {"terminated": ended})


@asynccontextmanager
async def operator(settings: OperatorSettings) -> AsyncIterator[None]:
    running = asyncio.create_task(run(settings))
    try:
        yield
    finally:
        running.cancel()
        async with asyncio.timeout(20):
            with contextlib.suppress(asyncio.CancelledError):
                await running


@pytest.fixture
async def cluster(kubeconfig: Path, tmp_path: Path) -> AsyncIterator[Cluster]:
    settings = OperatorSettings(
        kubeconfig=kubeconfig,
        namespaces=[NAMESPACE],
        store=StoreSettings(folder=tmp_path / "media", secret_file=tmp_path / "key"),
        health_port=0,
        metrics_port=0,
        status_delay_seconds=0,
    )
    async with await Kube.connect(kubeconfig) as kube:
        made = Cluster(kube, settings)
        await made.task_class("image", maxInFlight=2)
        try:
            yield made
        finally:
            for resource, namespace in ((TASKS, NAMESPACE), (PODS, NAMESPACE), (JOBS, NAMESPACE), (CLASSES, None)):
                async for found in kube.list_all(resource, namespace):
                    await _gone(kube, resource, found["metadata"]["name"], namespace)


async def _gone(kube: Kube, resource: Any, name: str, namespace: str | None) -> None:
    with contextlib.suppress(KubeError):
        await kube.delete(resource, name, namespace, grace_period_seconds=0)


async def test_from_task_to_media(cluster: Cluster) -> None:
    async with operator(cluster.settings):
        task = await cluster.task("one")
        pod = await cluster.start_pod(await cluster.job("one"))
        await cluster.until("one", lambda status: status.get("phase") == "processing")
        await cluster.finish(pod, task)
        status = await cluster.until("one", lambda status: status.get("phase") == "completed")
    assert status["result"]["artifacts"][0]["key"].endswith("/1/image.png")
    assert "mediaUrl" not in status["result"], "a signed link would let everybody in who may read the task"
    assert status["result"]["artifacts"][0]["key"].endswith("/1/image.png")
    assert {c["type"] for c in status["conditions"] if c["status"] == "True"} == {"Accepted", "JobCreated", "Complete"}
    events = await cluster.kube.list(EVENTS, NAMESPACE)
    assert {"JobCreated", "Completed"} <= {event["reason"] for event in events["items"]}


async def test_jobs_are_told_which_networks_are_denied(cluster: Cluster) -> None:
    async with operator(cluster.settings.model_copy(update={"deny_networks": ["203.0.114.0/24"]})):
        await cluster.task("one")
        job = await cluster.job("one")
    env = {item["name"]: item.get("value") for item in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert JobSpec.model_validate_json(env["MEDIATASK_SPEC"]).inputs.deny_networks == ["203.0.114.0/24"]


async def test_a_pod_that_starts_soon_saves_the_write_about_its_job(cluster: Cluster) -> None:
    async with operator(cluster.settings.model_copy(update={"status_delay_seconds": 60})):
        task = await cluster.task("one")
        jobs = await eventually(lambda: cluster.kube.list(JOBS, NAMESPACE), lambda jobs: jobs["items"])
        pod = await cluster.start_pod(jobs["items"][0])
        status = await cluster.until("one", lambda status: status)
        assert (status["phase"], status["attempt"]) == ("processing", 1)
        await cluster.finish(pod, task)
        await cluster.until("one", lambda status: status.get("phase") == "completed")


async def test_the_write_about_a_job_waits_no_longer_than_it_may(cluster: Cluster) -> None:
    async with operator(cluster.settings.model_copy(update={"status_delay_seconds": 0.5})):
        await cluster.task("one")
        status = await cluster.until("one", lambda status: status)
    assert (status["phase"], status["attempt"]) == ("queued", 1)
    assert len((await cluster.kube.list(JOBS, NAMESPACE))["items"]) == 1


async def test_a_job_that_the_status_does_not_speak_of_holds_its_slot_over_a_restart(cluster: Cluster) -> None:
    patient = cluster.settings.model_copy(update={"status_delay_seconds": 60})
    async with operator(patient):
        for name in ("b", "c"):
            await cluster.task(name)
        await eventually(lambda: cluster.kube.list(JOBS, NAMESPACE), lambda jobs: len(jobs["items"]) == 2)
    # Listed first, so looked at first.
    await cluster.task("a-urgent", priority=0)
    async with operator(patient):
        await cluster.until("a-urgent", lambda status: status.get("queue"))
    assert len((await cluster.kube.list(JOBS, NAMESPACE))["items"]) == 2


async def test_a_restart_finds_its_way_without_a_write(cluster: Cluster) -> None:
    async with operator(cluster.settings):
        task = await cluster.task("one")
        pod = await cluster.start_pod(await cluster.job("one"))
        await cluster.until("one", lambda status: status.get("phase") == "processing")
        await cluster.task("two")
        await cluster.job("two")
    before = await cluster.kube.get(TASKS, "one", NAMESPACE)
    async with operator(cluster.settings):
        await cluster.task("three")
        await cluster.until("three", lambda status: status.get("queue"))
        assert (await cluster.kube.get(TASKS, "one", NAMESPACE))["metadata"] == before["metadata"]
        await cluster.finish(pod, task)
        await cluster.until("one", lambda status: status.get("phase") == "completed")
        await cluster.job("three")
    jobs = await cluster.kube.list(JOBS, NAMESPACE)
    assert len(jobs["items"]) == 3


async def test_what_happened_while_it_was_away_is_seen(cluster: Cluster) -> None:
    async with operator(cluster.settings):
        task = await cluster.task("one")
        pod = await cluster.start_pod(await cluster.job("one"))
    await cluster.finish(pod, task)
    async with operator(cluster.settings):
        await cluster.until("one", lambda status: status.get("phase") == "completed")


async def test_the_news_of_a_jobs_end_may_come_before_the_news_of_its_pod(cluster: Cluster) -> None:
    async with operator(cluster.settings):
        task = await cluster.task("one")
        job = await cluster.job("one")
        await cluster.finish(await cluster.start_pod(job, told=False), task)
        await cluster.complete(job)
        status = await cluster.until("one", lambda status: status.get("attempts", [{}])[0].get("reason"))
    assert [attempt["reason"] for attempt in status["attempts"]] == ["Succeeded"]


async def test_a_job_that_vanished_before_the_status_spoke_of_it_was_an_attempt(cluster: Cluster) -> None:
    async with operator(cluster.settings.model_copy(update={"status_delay_seconds": 60})):
        await cluster.task("one")
        jobs = await eventually(lambda: cluster.kube.list(JOBS, NAMESPACE), lambda jobs: jobs["items"])
        await _gone(cluster.kube, JOBS, jobs["items"][0]["metadata"]["name"], NAMESPACE)
        status = await cluster.until("one", lambda status: status.get("attempt") == 2)
    assert [attempt.get("reason") for attempt in status["attempts"]] == ["JobDeleted", None]


async def test_media_that_is_not_there_is_not_believed(cluster: Cluster) -> None:
    async with operator(cluster.settings):
        task = await cluster.task("one", retry={"limit": 0})
        pod = await cluster.start_pod(await cluster.job("one"))
        stranger = {**task, "metadata": {**task["metadata"], "uid": "another-task"}}
        await cluster.finish(pod, stranger)
        status = await cluster.until("one", lambda status: status.get("phase") == "failed")
    assert status["error"]["code"] == "ResultInvalid"


async def test_cancel_stops_the_pod_first(cluster: Cluster) -> None:
    async with operator(cluster.settings):
        await cluster.task("one")
        job = await cluster.job("one")
        pod = await cluster.start_pod(job)
        await cluster.until("one", lambda status: status.get("phase") == "processing")
        await cluster.kube.patch(TASKS, "one", {"spec": {"cancel": True}}, NAMESPACE)
        status = await cluster.until("one", lambda status: status["attempts"][-1].get("reason") == "Cancelled")
        await _gone(cluster.kube, PODS, pod["metadata"]["name"], NAMESPACE)
        status = await cluster.until("one", lambda status: status.get("phase") == "cancelled")
    assert status["completedAt"]


async def test_slots_are_given_by_priority(cluster: Cluster) -> None:
    for name in ("a", "b"):
        await cluster.task(name)
    async with operator(cluster.settings):
        running = {name: await cluster.start_pod(await cluster.job(name)) for name in ("a", "b")}
        await cluster.task("slow", priority=9)
        await cluster.until("slow", lambda status: status.get("queue", {}).get("position") == 1)
        await cluster.task("urgent", priority=0)
        await cluster.until("urgent", lambda status: status.get("queue", {}).get("position") == 1)
        await cluster.task("raised", priority=9)
        await cluster.until("raised", lambda status: status.get("queue"))
        await cluster.kube.patch(TASKS, "raised", {"spec": {"priority": 1}}, NAMESPACE)
        await cluster.until("raised", lambda status: status["observedGeneration"] == 2)
        task = await cluster.kube.get(TASKS, "a", NAMESPACE)
        await cluster.finish(running["a"], task)
        await cluster.job("urgent")
        await cluster.finish(running["b"], await cluster.kube.get(TASKS, "b", NAMESPACE))
        await cluster.job("raised")
        assert not (await cluster.status("slow")).get("attempt")


async def test_a_class_that_comes_later(cluster: Cluster) -> None:
    async with operator(cluster.settings):
        await cluster.task("early", className="later")
        await cluster.until("early", lambda status: "ClassNotFound" in str(status))
        await cluster.task_class("later")
        await cluster.job("early")


class Refusing:
    """An API server that takes no Jobs for the time being, as one does whose quota is used up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.refuses = True
        create = Kube.create

        async def refuse(
            kube: Kube, resource: Any, body: Object, namespace: str | None = None, **params: str
        ) -> Object:
            if resource is JOBS and self.refuses:
                self.asked.append(body["metadata"]["annotations"][ANNOTATION_TASK])
                raise KubeError(403, "Forbidden", "exceeded quota: pods")
            return await create(kube, resource, body, namespace, **params)

        monkeypatch.setattr(Kube, "create", refuse)


async def test_a_used_up_quota_holds_the_queue_back(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = Refusing(monkeypatch)
    monkeypatch.setattr(executor, "PAUSES", Pauses(refused=timedelta(seconds=2)))
    for number in range(40):
        await cluster.task(f"t{number:02}", priority=9 - number % 10)
    urgent = {f"t{number:02}" for number in (9, 19, 29, 39)}
    async with operator(cluster.settings):
        await cluster.until("t10", lambda status: status.get("queue"))
        await eventually(lambda: asyncio.sleep(0, len(refusing.asked)), lambda asked: asked >= 3)
        refusing.refuses = False
        jobs = await eventually(lambda: cluster.kube.list(JOBS, NAMESPACE), lambda jobs: len(jobs["items"]) == 2)
    told = [obj async for obj in cluster.kube.list_all(TASKS, NAMESPACE) if "JobForbidden" in str(obj.get("status"))]
    assert refusing.asked[0] == "t09"
    assert set(refusing.asked) <= {"t09", "t19"}
    assert len(refusing.asked) <= 6
    assert {job["metadata"]["annotations"][ANNOTATION_TASK] for job in jobs["items"]} <= urgent
    assert len(told) <= 2


async def test_a_restart_gives_the_slots_by_priority(cluster: Cluster) -> None:
    for number in range(30):
        await cluster.task(f"t{number:02}", priority=9 - number // 3)
    async with operator(cluster.settings):
        jobs = await eventually(lambda: cluster.kube.list(JOBS, NAMESPACE), lambda jobs: len(jobs["items"]) == 2)
    assert {job["metadata"]["annotations"][ANNOTATION_TASK] for job in jobs["items"]} == {"t27", "t28"}


async def test_a_clock_that_is_wrong_loses_no_node(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_client, "utcnow", lambda: utcnow() + timedelta(minutes=10))
    async with operator(cluster.settings):
        await cluster.task("one")
        pod = await cluster.start_pod(await cluster.job("one"), nodeName="node-1")
        await cluster.until("one", lambda status: status.get("phase") == "processing")
        await cluster.kube.delete(PODS, pod["metadata"]["name"], NAMESPACE, grace_period_seconds=30)
        status = await cluster.until("one", lambda status: condition(status, "Running")["reason"] != "Running")
    assert condition(status, "Running")["reason"] == "PodTerminating"
    assert status["startedAt"] <= rfc3339(utcnow() + timedelta(seconds=5))


def condition(status: Object, kind: str) -> Object:
    return next((found for found in status.get("conditions", []) if found["type"] == kind), {"reason": "Running"})


async def test_a_status_that_is_not_taken_fails_the_task(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    patch = Kube.patch

    async def refuse(kube: Kube, resource: Any, name: str, body: Any, *args: Any, **params: Any) -> Object:
        if "result" in body.get("status", {}):
            raise KubeError(422, "Invalid", "status.result: Invalid value")
        return await patch(kube, resource, name, body, *args, **params)

    monkeypatch.setattr(Kube, "patch", refuse)
    async with operator(cluster.settings):
        task = await cluster.task("one")
        await cluster.finish(await cluster.start_pod(await cluster.job("one")), task)
        status = await cluster.until("one", lambda status: status.get("phase") == "failed")
        assert status["error"]["code"] == "StatusRejected"
        await cluster.task("two")
        await cluster.job("two")


async def test_a_strangers_job_of_that_name_is_told_and_fails_the_task(cluster: Cluster) -> None:
    task = await cluster.task("one")
    name = job_name("one", task["metadata"]["uid"], 1)
    await cluster.kube.create(JOBS, job_object("pass", name=name), NAMESPACE)
    async with operator(cluster.settings):
        status = await cluster.until("one", lambda status: status.get("phase") == "failed")
        assert status["error"]["code"] == "JobNameTaken"
        assert status["error"]["retryable"]
        events = await eventually(
            lambda: cluster.kube.list(EVENTS, NAMESPACE),
            lambda events: any("JobNameTaken" in event["message"] for event in events["items"]),
        )
        assert events
        await _gone(cluster.kube, JOBS, name, NAMESPACE)
        await cluster.kube.patch(TASKS, "one", {"spec": {"retryRequest": 1}}, NAMESPACE)
        await cluster.job("one")


async def test_a_conflict_is_followed_by_a_read(cluster: Cluster) -> None:
    """The watch of tasks may be far behind, while progress reports change the version all the time."""
    kube, cache, metrics = cluster.kube, Cache(), Metrics()
    queue: WorkQueue[Key] = WorkQueue()
    expectations, admission = Expectations(), AdmissionQueue()
    api = ApiWriter(kube, TokenBucket(100, 100), metrics)
    events, reporter = EventPoster(api), Reporter(None, metrics, admission)
    executor_ = executor.Executor(api, cache, expectations, events, reporter, JobOptions("http://api"), kube.now)
    controller = Controller(
        queue,
        Observer(kube, cache, expectations),
        Slots(admission, cache, queue.add, kube.now, Budgets(cache.ledger)),
        executor_,
        Effects(lambda key, uid: None, expectations.learned, queue.add_after, metrics),
        kube.now,
        Policy(),
    )
    cache.put_class(await kube.get(CLASSES, "image"))
    cache.put_task(await cluster.task("one"))
    await kube.patch(TASKS, "one", {"metadata": {"annotations": {"a": "b"}}}, NAMESPACE)
    with pytest.raises(KubeError) as raised:
        await controller.reconcile((NAMESPACE, "one"))
    assert raised.value.conflict
    await controller.reconcile((NAMESPACE, "one"))
    assert (await cluster.status("one"))["attempt"] == 1
    assert metrics.registry.get_sample_value(
        "mediatask_api_writes_total", {"verb": "create", "resource": "jobs", "code": "200"}
    )
    events.post(Task.parse(await kube.get(TASKS, "one", NAMESPACE)), PostEvent("Tested", "in a test"))
    posting = asyncio.create_task(events.run())
    sample = {"verb": "create", "resource": "events", "code": "200"}
    await eventually(
        lambda: asyncio.sleep(0, metrics.registry.get_sample_value("mediatask_api_writes_total", sample)), bool
    )
    posting.cancel()
