"""Budgets from the first submit to the last: the real API and operator, with the kubelet played by the test."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mediatask_common import money
from mediatask_common.budgets import Budget
from mediatask_common.kube import CLASSES, CONFIGMAPS, JOBS, PODS, TASKS, Kube, KubeError, Object
from mediatask_common.settings import StoreSettings
from mediatask_common.spending import Spending
from mediatask_common.store import artifact_key
from mediatask_common.times import rfc3339, utcnow
from mediatask_crds.names import ANNOTATION_TASK, API_VERSION, CONTAINER
from mediatask_crds.podcontract import Artifact, JobResult, TerminationMessage
from mediatask_operator.main import run
from mediatask_operator.settings import OperatorSettings
from mediatask_operator.watching import configmaps as reading
from support.front import until

from .conftest import PROMPT, World

SUBMITTERS = 32
BUDGET = 10
ANSWER = b"{}"


async def put_budget(kube: Kube, namespace: str, amount: int, when: str) -> None:
    entry = f"{{project: film, period: month, amount: '{amount}', currency: EUR, whenExceeded: {when}}}"
    body = {"metadata": {"name": "budgets"}, "data": {"film": entry, "broken": "{project: [}"}}
    try:
        await kube.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", **body}, namespace)
    except KubeError as error:
        if not error.already_exists:
            raise
        await kube.patch(CONFIGMAPS, "budgets", {"data": body["data"]}, namespace)


async def record(kube: Kube, namespace: str, **entries: str) -> None:
    """What an operator has recorded."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "budgets-spending"}, "data": entries}
    await kube.create(CONFIGMAPS, body, namespace)


@pytest.fixture
async def one_each(kube: Kube) -> AsyncIterator[None]:
    """Each task of the type costs one euro."""
    name = f"a-{secrets.token_hex(4)}"
    spec = {
        "taskTypes": ["test_prompt"], "default": True, "image": "python", "maxInFlight": 4,
        "cost": {"currency": "EUR", "perTask": "1"},
    }  # fmt: skip
    await kube.create(
        CLASSES, {"apiVersion": API_VERSION, "kind": "MediaTaskClass", "metadata": {"name": name}, "spec": spec}
    )
    yield
    await kube.delete(CLASSES, name)


async def kubelet(world: World) -> None:
    """Lets every job do its work at once."""
    done: set[str] = set()
    while True:
        for job in (await world.kube.list(JOBS, world.namespace))["items"]:
            if job["metadata"]["name"] not in done:
                done.add(job["metadata"]["name"])
                await do(world, job)
        await asyncio.sleep(0.05)


async def do(world: World, job: Object) -> None:
    template = job["spec"]["template"]
    owner = {
        "apiVersion": "batch/v1", "kind": "Job", "controller": True,
        "name": job["metadata"]["name"], "uid": job["metadata"]["uid"],
    }  # fmt: skip
    meta = {**template["metadata"], "name": f"{job['metadata']['name']}-x", "ownerReferences": [owner]}
    pod = await world.kube.create(
        PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}, world.namespace
    )
    task = await world.task(template["metadata"]["annotations"][ANNOTATION_TASK])
    key = artifact_key("film", task["metadata"]["uid"], 1, "answer.json")
    await world.services.store.create(key, ANSWER, "application/json")
    digest = hashlib.sha256(ANSWER).hexdigest()
    made = Artifact(name="answer.json", key=key, sha256=digest, bytes=len(ANSWER), content_type="application/json")
    words = TerminationMessage(result=JobResult(artifacts=[made], metadata={})).model_dump_json(exclude_none=True)
    now = rfc3339(utcnow())
    state = {"exitCode": 0, "startedAt": now, "finishedAt": now, "message": words}
    container = {
        "name": CONTAINER, "state": {"terminated": state}, "image": "python", "imageID": "", "ready": False,
        "restartCount": 0,
    }  # fmt: skip
    body = {"status": {"phase": "Succeeded", "containerStatuses": [container]}}
    await world.kube.patch(PODS, pod["metadata"]["name"], body, world.namespace, subresource="status")


@asynccontextmanager
async def at_work(world: World, kubeconfig: Path, folder: Path) -> AsyncIterator[None]:
    settings = OperatorSettings(
        kubeconfig=kubeconfig, namespaces=[world.namespace], store=StoreSettings(folder=folder / "media"),
        health_port=0, metrics_port=0, status_delay_seconds=0, budgets_config_map=f"{world.namespace}/budgets",
    )  # fmt: skip
    running = [asyncio.create_task(run(settings)), asyncio.create_task(kubelet(world))]
    try:
        yield
    finally:
        # Whichever has ended by itself says why.
        for each in running:
            each.cancel()
        for each in running:
            with contextlib.suppress(asyncio.CancelledError):
                await each


async def outcomes(world: World) -> Counter[str]:
    """How many tasks have come to which end, or wait for what."""
    found: Counter[str] = Counter()
    async for task in world.kube.list_all(TASKS, world.namespace):
        status = task.get("status") or {}
        phase = status.get("phase", "queued")
        waits = [c["reason"] for c in status.get("conditions") or [] if c["type"] == "JobCreated"]
        found["BudgetExceeded" if phase != "completed" and "BudgetExceeded" in str(status) else phase] += 1
        assert phase != "queued" or len(waits) <= 1
    return found


@pytest.mark.parametrize("when", ["wait", "refuse"])
async def test_a_project_is_stopped_at_its_budget_under_32_submitters(
    open_world: Any, kubeconfig: Path, tmp_path: Path, kube: Kube, namespace: str, one_each: None, when: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(reading, "READ_SECONDS", 0.2)
    await put_budget(kube, namespace, BUDGET, when)
    place = f"{namespace}/budgets"
    async with open_world(budgets_config_map=place) as world, at_work(world, kubeconfig, tmp_path):
        answers: Counter[int] = Counter()

        async def submitter() -> None:
            for _ in range(2):
                answers[(await world.api.post("/tasks/submit", json=PROMPT)).status_code] += 1

        await asyncio.gather(*(submitter() for _ in range(SUBMITTERS)))
        assert set(answers) <= {202, 402}
        stopped = answers[202] - BUDGET

        async def settled() -> bool:
            return await outcomes(world) == {"completed": BUDGET, "BudgetExceeded": stopped}

        await until(settled, seconds=60)
        with capsys.disabled():
            print(f"\n{when}: {SUBMITTERS} submitters, answers {dict(answers)}, then {dict(await outcomes(world))}")
        usage = await world.api.get("/projects/film/usage", params={"group_by": "class"})  # none was asked for before
        assert usage.json()["total"]["cost"] == BUDGET

        async def recorded() -> bool:
            (budget,) = (await world.api.get("/projects/film/budgets")).json()["budgets"]
            return (budget["spent"], budget["reserved"], budget["state"]) == (str(BUDGET), "0", "exceeded")

        await until(recorded)
        refused = await world.api.post("/tasks/submit", json=PROMPT)
        if when == "refuse":
            assert (refused.status_code, refused.json()["type"]) == (402, "urn:mediatask:problem:budget-exceeded")
            assert "of 10 EUR a month leaves too little; it renews at " in refused.json()["detail"]
            assert "10 are spent, and the task is expected to cost 1" in refused.json()["detail"]
            return
        assert refused.status_code == 202
        stopped += 1
        await put_budget(kube, namespace, BUDGET + 3, when)

        async def more() -> bool:
            return await outcomes(world) == {"completed": BUDGET + 3, "BudgetExceeded": stopped - 3}

        await until(more, seconds=60)


async def test_how_budgets_stand_is_shown_to_the_projects_own(open_world: Any, kube: Kube, namespace: str) -> None:
    day = Budget(project="film", period="day", amount="10", currency="EUR", when_exceeded="wait")
    month = Budget(project="film", period="month", amount="500", currency="EUR")
    spent = {"EUR": {utcnow().date().isoformat(): 8_500_000, "2026-01-01": 400_000_000}}
    await record(kube, namespace, film=Spending((month, day), spent, {"EUR": 1_250_000}).text())
    async with open_world(budgets_config_map=f"{namespace}/budgets") as world:
        answer = (await world.api.get("/projects/film/budgets")).json()
        tomorrow = (utcnow().date() + timedelta(days=1)).isoformat()
        assert answer["project_id"] == "film"
        first, second = answer["budgets"]
        if first["period"] == "month":  # on the last day of one
            first, second = second, first
        assert first == {
            "period": "day", "limit": "10", "currency": "EUR", "when_exceeded": "wait", "spent": "8.5",
            "reserved": "1.25", "left": "0.25", "state": "warning", "renews_at": f"{tomorrow}T00:00:00Z",
        }  # fmt: skip
        assert (second["period"], second["spent"], second["state"]) == ("month", "8.5", "ok")
        assert (await world.api.get("/projects/other/budgets")).json()["budgets"] == []
        other = await world.caller("other")
        assert (await other.get("/projects/film/budgets")).status_code == 404
    async with open_world() as world:
        assert (await world.api.get("/projects/film/budgets")).json()["budgets"] == []


async def test_a_repeated_submit_gets_its_first_answer_though_the_budget_is_used_up(
    open_world: Any, kube: Kube, namespace: str, one_each: None
) -> None:
    key = {"Idempotency-Key": "k"}
    async with open_world() as world:
        first = await world.api.post("/tasks/submit", json=PROMPT, headers=key)
    budget = Budget(project="film", period="month", amount="1", currency="EUR")
    spent = Spending((budget,), {"EUR": {utcnow().date().isoformat(): money.MICRO}}, {})
    await record(kube, namespace, film=spent.text(), broken="{")
    async with open_world(budgets_config_map=f"{namespace}/budgets") as asked:
        again = await asked.api.post("/tasks/submit", json=PROMPT, headers=key)
        assert (again.status_code, again.content) == (202, first.content)
        assert (await asked.api.post("/tasks/submit", json=PROMPT)).status_code == 402
        assert (await asked.api.post("/tasks/submit", json={**PROMPT, "project_id": "broken"})).status_code == 202
        assert (await asked.api.post("/tasks/submit", json={**PROMPT, "project_id": "other"})).status_code == 202
