"""The local mode beside a real Brain: tasks run with what their project knows, whoever is away or killed in between."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from mediatask_common.kube import CLASSES, TASKS, Kube, Object
from mediatask_local.up import UpInfo, embedded
from support.brain.server import RunningBrain, brain_server
from support.mode import Rest, kill, until

QUESTION = {"ask": "Similar", "minScore": 0.3}


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBrain]:
    with brain_server(tmp_path_factory.mktemp("brain")) as server:
        yield server


@pytest.fixture(scope="module")
def mode(brain: RunningBrain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpInfo]:
    """`mediatask up` with the platform's variables in its environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MCP_BRAIN_SERVICE_URL", brain.url)
        patch.setenv("MEDIATASK_BRAIN_TOKEN", brain.token or "")
        with embedded(tmp_path_factory.mktemp("up") / "state") as info:
            yield info


def asks(mode: UpInfo, **brain: Any) -> None:
    """The class of prompt tests asks the Brain."""

    async def patch() -> None:
        async with await Kube.connect(mode.kubeconfig) as kube:
            async for found in kube.list_all(CLASSES):
                if "test_prompt" in found["spec"]["taskTypes"]:
                    body = {"spec": {"brain": {"questions": [QUESTION], "timeoutSeconds": 30, **brain}}}
                    await kube.patch(CLASSES, found["metadata"]["name"], body)

    asyncio.run(patch())


def resource(mode: UpInfo, task: str) -> Object:
    async def read() -> Object:
        async with await Kube.connect(mode.kubeconfig) as kube:
            return await kube.get(TASKS, task, "default")

    return asyncio.run(read())


def condition(mode: UpInfo, task: str, kind: str) -> tuple[str, str]:
    conditions = resource(mode, task).get("status", {}).get("conditions", [])
    return next(((one["status"], one["reason"]) for one in conditions if one["type"] == kind), ("", ""))


def submit(rest: Rest, prompt: str, project: str) -> str:
    return rest.submit(prompt, project, task_data={"prompt_template": prompt})


def prompt_of(rest: Rest, task: str) -> str:
    """What its job has run with."""
    until(lambda: rest.has_ended(task))
    answer = rest.status(task)
    assert answer["status"] == "completed", answer
    prompt: str = answer["result"]["metadata"]["output_data"]["prompt"]
    return prompt


def test_a_second_task_of_a_project_finds_what_the_first_one_stored(brain: RunningBrain, mode: UpInfo) -> None:
    asks(mode)
    rest = Rest(mode)
    first = submit(rest, "Rex the detective wears a grey trench coat", "noir")
    assert prompt_of(rest, first) == "Rex the detective wears a grey trench coat"
    until(lambda: condition(mode, first, "Remembered") == ("True", "Remembered"))
    second = submit(rest, "Rex the detective in the rain", "noir")
    assert prompt_of(rest, second) == ("Rex the detective in the rain\n\nRex the detective wears a grey trench coat")
    (added,) = resource(mode, second)["status"]["context"]["added"]
    assert rest.status(second)["result"]["metadata"]["context"][0]["sha256"] == added["sha256"]
    assert added["sources"] == [brain.knowledge.documents("noir")[0]["id"]]
    other = submit(rest, "Rex the detective at dawn", "western")
    assert prompt_of(rest, other) == "Rex the detective at dawn"


def test_a_brain_that_is_away_holds_up_nobody_and_is_caught_up_with(brain: RunningBrain, mode: UpInfo) -> None:
    asks(mode)
    rest, folder = Rest(mode), mode.kubeconfig.parents[1]
    brain.stop()
    try:
        tasks = [submit(rest, f"scene {number} in the harbour", "away") for number in range(3)]
        for number, task in enumerate(tasks):
            assert prompt_of(rest, task) == f"scene {number} in the harbour"
            assert condition(mode, task, "ContextReady") == ("False", "BrainAway")
        kill(mode, folder, "operator")
    finally:
        brain.start()
    # Each failure made the pause longer: on a busy machine the next try may be minutes away.
    for task in tasks:
        until(lambda task=task: condition(mode, task, "Remembered")[0] == "True", 600)
    names = [one["metadata"]["task_id"] for one in brain.knowledge.documents("away")]
    assert sorted(names) == sorted(tasks)


def test_an_operator_killed_while_it_asks_or_tells_repeats_nothing_visible(brain: RunningBrain, mode: UpInfo) -> None:
    """The Brain does not answer before the operator that asked is dead."""
    asks(mode, failurePolicy="Closed")
    rest, folder = Rest(mode), mode.kubeconfig.parents[1]
    for tool in ("search_by_embedding", "store_document"):
        brain.knowledge.store_document(tool, "The harbour smells of tar", {})
        reached, released = threading.Event(), threading.Event()

        def hold(called: str, tool: str = tool, reached: Any = reached, released: Any = released) -> None:
            if called == tool and not reached.is_set():
                reached.set()
                assert released.wait(60)

        brain.before = hold
        try:
            task = submit(rest, f"the harbour at night, {tool}", tool)
            assert reached.wait(60)
            kill(mode, folder, "operator")
        finally:
            released.set()
            brain.before = lambda called: None
        assert prompt_of(rest, task) == f"the harbour at night, {tool}\n\nThe harbour smells of tar"
        until(lambda task=task: condition(mode, task, "Remembered")[0] == "True")
        own = [one for one in brain.knowledge.documents(tool) if one["metadata"].get("task_id") == task]
        assert len(own) == 1
        assert rest.status(task)["attempt"] == 1
