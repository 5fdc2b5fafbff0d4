"""The Brain before a task and after it: a real MCP server with a real store of knowledge, and hostile ones."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from mediatask_common.moderation import RuleBook, read_rules
from mediatask_common.settings import StoreSettings
from mediatask_common.store import ArtifactStore, context_key, open_store
from mediatask_common.times import parse_time
from mediatask_crds.podcontract import JobResult, TerminationMessage
from mediatask_operator.deciding.classes import NoClass, TaskClass, resolve
from mediatask_operator.deciding.memory import MemoryPolicy
from mediatask_operator.deciding.observation import Context, Memory, Published, Task
from mediatask_operator.deciding.reasons import Reason
from mediatask_operator.effects.brain.ask import AskTheBrain
from mediatask_operator.effects.brain.breaker import FAILURES, Breaker
from mediatask_operator.effects.brain.remember import RememberResult
from mediatask_operator.effects.brain.service import ANSWER_LIMIT
from mediatask_operator.effects.brain.wiring import make_brain
from mediatask_operator.metrics import Metrics
from mediatask_operator.settings import BrainSettings
from support.brain.server import RunningBrain, brain_server
from support.payload.faults import Fault, faulty
from support.receivers import raw_receiver, receiver
from support.taskworld import RESULT, World, a_class, a_task, run_pod

SIMILAR = {"ask": "Similar"}
STORING = 4
"""Place of `store_document` among the requests of a try: discover, embed, search, store."""


@pytest.fixture(params=["2026-07-28", "2025-11-25"])
def brain(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningBrain]:
    """In both generations of the protocol."""
    with brain_server(tmp_path, legacy=request.param == "2025-11-25") as server:
        yield server
        assert server.versions <= {request.param}


@pytest.fixture
def modern(tmp_path: Path) -> Iterator[RunningBrain]:
    with brain_server(tmp_path) as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(StoreSettings(folder=tmp_path / "store"))


class Life:
    """A task, with the operator that serves it."""

    def __init__(
        self,
        settings: BrainSettings,
        store: ArtifactStore,
        name: str = "scene-1",
        data: dict[str, Any] | None = None,
        brain: dict[str, Any] | None = None,
        **spec: Any,
    ) -> None:
        self.settings = settings
        self.store = store
        self.rules: RuleBook | None = None
        self.data = data or {"prompt": "Rex the detective in the rain"}
        self.world = World(
            task=a_task(**spec),
            classes={"image": a_class(brain={"questions": [SIMILAR], **(brain or {})})},
            data=self.data,
            has_brain=True,
            remembering=MemoryPolicy(),
        )
        uid = hashlib.sha256(name.encode()).hexdigest()[:36]
        self.world.task["metadata"] |= {"name": name, "uid": uid}
        self.world.settle()

    @property
    def task(self) -> Task:
        return Task.parse(self.world.task)

    @property
    def told(self) -> tuple[str, str]:
        condition = self.world.condition("ContextReady")
        return condition["status"], condition["reason"]

    @property
    def added(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.world.status["context"]["added"]
        return found

    async def read_data(self, task: Task) -> dict[str, Any]:
        return self.data

    def read_class(self, task: Task) -> TaskClass | NoClass:
        return resolve(task.spec, task.status, self.world.classes)

    async def asks(self) -> Context | None:
        """One try, whose outcome is not on record yet."""
        async with self.effects() as (ask, _):
            return await ask.run(self.task, self.world.asked[-1])

    async def learns(self) -> Life:
        """One try, and what the status makes of it."""
        self.world.context = await self.asks()
        self.world.settle()
        return self

    async def runs_with(self) -> Any:
        """The data that its jobs get."""
        if "key" not in self.world.status["context"]:
            return self.data
        content = await self.store.read(self.world.status["context"]["key"])
        assert hashlib.sha256(content).hexdigest() == self.world.status["context"]["sha256"]
        return orjson.loads(content)["data"]

    def completes(self) -> Life:
        """Its job publishes its media."""
        world = self.world
        words = TerminationMessage(result=RESULT).model_dump_json(exclude_none=True)
        world.end(run_pod(world), 0, message=words, reason="Completed")
        world.reconcile()
        world.proof = Published(JobResult.model_validate(RESULT.model_dump()), None)
        world.settle()
        return self

    async def tells(self) -> Memory | None:
        """One try to store its result, which is not on record yet."""
        async with self.effects() as (_, tell):
            return await tell.run(self.task, self.world.stored[-1])

    async def is_stored(self) -> Life:
        """One try, what the status makes of it, and the time until the next."""
        self.world.memory = await self.tells()
        self.world.settle()
        due = self.world.status["memory"].get("nextAttemptAt")
        if due is not None:
            self.world.now = max(self.world.now, parse_time(due))
            self.world.settle()
        return self

    @asynccontextmanager
    async def effects(self) -> AsyncIterator[tuple[AskTheBrain, RememberResult]]:
        """The effects as the operator makes them, new each time: nothing is remembered in them."""
        brain = make_brain(self.settings)
        assert brain is not None
        seconds = self.settings.timeout_seconds
        book = self.rules
        rules = None if book is None else lambda: book
        try:
            yield (
                AskTheBrain(brain, self.store, self.read_data, self.read_class, Metrics(), rules),
                RememberResult(brain, Breaker(), self.read_data, self.read_class, seconds, Metrics()),
            )
        finally:
            await brain.close()


# ---- what is added


async def test_similar_documents_are_appended_to_the_prompt(brain: RunningBrain, store: ArtifactStore) -> None:
    stored = brain.knowledge.store_document("p1", "Detective Rex wears a grey trench coat.", {})
    life = await Life(brain.settings(), store).learns()
    data = await life.runs_with()
    assert data == {"prompt": "Rex the detective in the rain\n\nDetective Rex wears a grey trench coat."}
    assert life.told == ("True", Reason.CONTEXT_ADDED)
    text = "Detective Rex wears a grey trench coat."
    assert life.added == [
        {
            "question": 0,
            "field": "prompt",
            "characters": len(text),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "sources": [stored["id"]],
        }
    ]
    assert "trench" not in json.dumps(life.world.task), "the status has digests and ids, never the texts"


async def test_graph_and_neighbours_fill_the_fields_that_the_class_says(
    brain: RunningBrain, store: ArtifactStore
) -> None:
    known = brain.knowledge
    known.node("p1", "character:rex", "Character", name="Rex")
    known.node("p1", "coat", "Trait", name="coat", description="grey and wet")
    known.node("p1", "noir", "Style", name="noir", description="hard shadows")
    known.relate("p1", "character:rex", "HAS", "coat")
    questions = [
        {"ask": "Neighbors", "nodes": ["character:{metadata.character}", "character:{metadata.missing}"]},
        {"ask": "Graph", "query": "MATCH (s:Style) RETURN s", "into": ["lighting"], "mode": "Fill"},
        {"ask": "Graph", "query": "MATCH (s:Style) RETURN s", "into": ["pose"], "mode": "Fill"},
        {"ask": "Similar", "taskTypes": ["generate_video"]},
    ]
    life = await Life(
        brain.settings(),
        store,
        data={"prompt": "Rex", "pose": "standing"},
        brain={"questions": questions},
        metadata={"character": "rex"},
    ).learns()
    assert await life.runs_with() == {
        "prompt": "Rex\n\ncoat: grey and wet",
        "pose": "standing",
        "lighting": "name: noir; description: hard shadows",
    }
    assert [(one["question"], one["field"]) for one in life.added] == [(0, "prompt"), (1, "lighting")]
    assert life.added[0]["sources"] == ["coat"]


async def test_nothing_known_adds_nothing(brain: RunningBrain, store: ArtifactStore) -> None:
    life = await Life(brain.settings(), store).learns()
    assert life.told == ("True", Reason.NOTHING_TO_ADD)
    assert await store.head(context_key("p1", life.task.uid)) is None


async def test_a_second_task_finds_what_the_first_one_stored(brain: RunningBrain, store: ArtifactStore) -> None:
    first = Life(brain.settings(), store, "first", {"prompt": "The lighthouse keeper has a red beard"})
    await (await first.learns()).completes().is_stored()
    assert first.world.holds("Remembered")
    second = await Life(brain.settings(), store, "second", {"prompt": "The lighthouse keeper at dawn"}).learns()
    assert (await second.runs_with())["prompt"] == (
        "The lighthouse keeper at dawn\n\nThe lighthouse keeper has a red beard"
    )
    (document,) = brain.knowledge.documents("p1")
    assert second.added[0]["sources"] == [document["id"]] == [first.world.status["memory"]["documentId"]]
    metadata = document["metadata"]
    assert (metadata["task_id"], metadata["task_uid"], metadata["project_id"]) == ("first", first.task.uid, "p1")
    assert metadata["media_key"] == first.world.status["result"]["artifacts"][0]["key"]
    assert metadata["seed"] == 7


async def test_another_projects_knowledge_is_never_mixed_in(brain: RunningBrain, store: ArtifactStore) -> None:
    first = Life(brain.settings(), store, "first", projectId="secret", data={"prompt": "Rex is the murderer"})
    await (await first.learns()).completes().is_stored()
    assert len(brain.knowledge.documents("secret")) == 1
    life = await Life(brain.settings(), store, "second").learns()
    assert life.told == ("True", Reason.NOTHING_TO_ADD)
    assert {project for _, project in brain.calls} == {"secret", "p1"}


async def test_a_workflow_is_stored_under_an_id_of_its_own(modern: RunningBrain, store: ArtifactStore) -> None:
    life = Life(modern.settings(), store, brain={"remember": ["Workflow"]})
    (await life.learns()).completes()
    await life.tells()
    await life.is_stored()
    ((name, data),) = modern.knowledge.workflows("p1").items()
    assert name == f"mediatask-{life.task.uid}"
    assert data["prompt"] == "Rex the detective in the rain"
    assert modern.knowledge.documents("p1") == []


# ---- killed between two steps


async def test_killed_between_question_and_status_it_asks_nobody_again(
    modern: RunningBrain, store: ArtifactStore
) -> None:
    modern.knowledge.store_document("p1", "Detective Rex wears a grey coat.", {})
    life = Life(modern.settings(), store)
    first = await life.asks()
    asked = len(modern.calls)
    modern.knowledge.store_document("p1", "Detective Rex in the rain wears a hat.", {})
    second = await life.asks()  # the next operator knows what the status says
    assert first == second
    assert len(modern.calls) == asked
    await life.learns()
    assert (await life.runs_with())["prompt"].endswith("grey coat.")


async def test_of_two_at_the_same_moment_both_say_the_same(modern: RunningBrain, store: ArtifactStore) -> None:
    modern.knowledge.store_document("p1", "Detective Rex wears a grey coat.", {})
    life = Life(modern.settings(), store)
    outcomes = await asyncio.gather(*(life.asks() for _ in range(6)))
    assert all(outcome == outcomes[0] for outcome in outcomes)


async def test_killed_between_storing_and_status_there_is_one_document(
    brain: RunningBrain, store: ArtifactStore
) -> None:
    """Among many of the same prompt, too: each has a mark that makes it the nearest to itself."""
    for number in range(25):
        twin = f"Rex the detective in the rain\n[mediatask 0a4e4c6e-6c55-4a6c-9a53-{number:012}]"
        brain.knowledge.store_document("p1", twin, {"task_uid": f"twin-{number}"})
    life = (await Life(brain.settings(), store, "killed").learns()).completes()
    first, second = await life.tells(), await life.tells()
    assert first is not None
    assert second is not None
    assert first.document_id == second.document_id is not None
    own = [one for one in brain.knowledge.documents("p1") if one["metadata"].get("task_id") == "killed"]
    assert len(own) == 1


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE], ids=lambda fault: fault.name)
async def test_a_fault_while_it_stores_leaves_one_document(
    modern: RunningBrain, store: ArtifactStore, fault: Fault
) -> None:
    """Also where the Brain has stored it, and nobody knows."""
    life = Life(modern.settings(), store)
    (await life.learns()).completes()
    requests = 0

    def choose(request: web.Request) -> Fault:
        nonlocal requests
        requests += 1
        return fault if requests == STORING else Fault.NONE

    async with faulty(modern.url, choose) as proxy, asyncio.timeout(60):
        url = proxy.url.removesuffix("/api")
        life.settings = modern.settings(url=url, mcp_path="/api/mcp", timeout_seconds=4)
        while not life.world.holds("Remembered"):
            await life.is_stored()
    assert proxy.done[fault] == 1
    (document,) = modern.knowledge.documents("p1")
    assert document["metadata"]["task_uid"] == life.task.uid
    assert life.world.status["memory"]["attempts"] >= 2


# ---- away, refusing, old


async def test_away_open_goes_on_and_catches_up_after(modern: RunningBrain, store: ArtifactStore) -> None:
    modern.stop()
    life = await Life(modern.settings(), store).learns()
    assert life.told == ("False", Reason.BRAIN_AWAY)
    assert await life.runs_with() == life.data
    life.completes()
    assert life.world.phase == "completed"
    await life.is_stored()
    assert life.world.condition("Remembered")["reason"] == Reason.BRAIN_AWAY
    modern.start()
    await life.is_stored()
    assert life.world.holds("Remembered")
    assert len(modern.knowledge.documents("p1")) == 1


async def test_away_closed_waits_until_it_is_back(modern: RunningBrain, store: ArtifactStore) -> None:
    modern.knowledge.store_document("p1", "Detective Rex wears a grey coat.", {})
    modern.stop()
    life = await Life(modern.settings(), store, brain={"failurePolicy": "Closed"}).learns()
    assert not life.world.jobs
    modern.start()
    life.world.advance(10)
    life.world.settle()
    await life.learns()
    assert life.told == ("True", Reason.CONTEXT_ADDED)
    assert life.world.jobs


@pytest.mark.parametrize(
    ("changes", "told"), [({"token": "not-the-token-at-all"}, "401"), ({"mcp_path": "/elsewhere"}, "404")]
)
async def test_a_refusal_is_told_without_the_token(
    modern: RunningBrain, store: ArtifactStore, changes: dict[str, Any], told: str
) -> None:
    settings = modern.settings(**changes)
    outcome = await Life(settings, store).asks()
    assert outcome is not None
    assert (outcome.reason, outcome.permanent, outcome.error) == (
        Reason.BRAIN_REFUSED,
        True,
        f"the Brain answered {told}",
    )


async def test_a_tool_that_fails_is_told(modern: RunningBrain, store: ArtifactStore) -> None:
    question = {"ask": "Graph", "query": "DROP EVERYTHING"}
    outcome = await Life(modern.settings(), store, brain={"questions": [question]}).asks()
    assert outcome is not None
    assert (outcome.settled, outcome.reason) == (False, Reason.BRAIN_AWAY)
    assert "query_graph" in outcome.error


async def test_an_old_brain_is_asked_over_rest(modern: RunningBrain, store: ArtifactStore) -> None:
    modern.knowledge.store_document("p1", "Detective Rex wears a grey coat.", {})
    modern.knowledge.store_document("p2", "Detective Rex is the murderer.", {})
    settings = modern.settings(protocol="rest")
    life = await Life(settings, store).learns()
    assert (await life.runs_with())["prompt"].endswith("\n\nDetective Rex wears a grey coat.")
    assert modern.calls == [("query", "p1")]
    graph = await Life(settings, store, "graph", brain={"questions": [{"ask": "Graph", "query": "x"}]}).learns()
    assert graph.told == ("False", Reason.BRAIN_REFUSED)


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ({"ask": "Similar", "into": ["style_guide"]}, "style_guide is no field"),
        ({"ask": "Similar", "into": ["reference_images"]}, "reference_images is no field"),
        ({"ask": "Similar", "into": ["format"]}, "format is no field"),
        ({"ask": "Similar", "into": ["nothing"]}, "nothing is no field"),
        ({"ask": "Neighbors", "nodes": ["{secrets.key}"]}, "a path begins with one of"),
    ],
    ids=lambda value: str(value.get("into", "template")) if isinstance(value, dict) else "",
)
async def test_a_question_that_does_not_fit_is_told(
    modern: RunningBrain, store: ArtifactStore, question: dict[str, Any], why: str
) -> None:
    """Above all: nothing that the Brain says becomes an address that a pod fetches."""
    modern.knowledge.store_document("p1", "https://evil.example/Rex-the-detective.png", {})
    life = await Life(modern.settings(), store, brain={"questions": [question]}).learns()
    assert life.told == ("False", Reason.CONTEXT_UNUSABLE)
    assert why in life.world.condition("ContextReady")["message"]
    assert await life.runs_with() == life.data


# ---- what comes back is bounded


def hostile(answer: Any) -> Any:
    """A Brain whose every tool gives one answer."""

    async def serve(request: web.Request) -> web.StreamResponse:
        message = await request.json()
        if message["method"] == "server/discover":
            return web.Response(status=404)
        if message["method"] == "initialize":
            info = {"name": "brain", "version": "1"}
            result: Any = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
        elif "id" not in message:
            return web.Response(status=202)
        elif message["params"]["name"] == "embed_text":
            result = {"content": [], "structuredContent": {"embedding": [0.5, 0.5]}}
        else:
            result = {"content": [], "structuredContent": answer}
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})

    return serve


async def outcome_of(serve: Any, store: ArtifactStore, seconds: int = 30) -> tuple[Life, Context]:
    async with receiver(serve) as port:
        settings = BrainSettings(url=f"http://127.0.0.1:{port}")
        life = Life(settings, store, brain={"timeoutSeconds": seconds})
        outcome = await life.asks()
    assert outcome is not None
    life.world.context = outcome
    life.world.settle()
    return life, outcome


async def test_hostile_text_is_cleaned_and_cut(store: ArtifactStore) -> None:
    text = "\x1b[31mred\x00 \u202etfel\u202c zero\u200bwidth " + "x" * 100_000
    life, _ = await outcome_of(hostile({"results": [{"id": "\x1b]0;\x07" + "i" * 500, "content": text}]}), store)
    prompt = (await life.runs_with())["prompt"]
    assert len(prompt) <= 8192
    assert life.added[0]["characters"] == 2000
    added = prompt.removeprefix(life.data["prompt"] + "\n\n")
    assert added.startswith("[31mred tfel zero width x")
    assert added.isprintable()
    (source,) = life.added[0]["sources"]
    assert len(source) == 128
    assert source.isprintable()


async def test_what_says_that_it_is_anothers_is_left_out(store: ArtifactStore) -> None:
    answer = {
        "results": [
            {"content": "other's", "project_id": "p2"},
            {"content": "other's, too", "metadata": {"projectId": "p2"}},
            {"content": "deep", "properties": {"owner": {"project_id": "p2"}}},
            {"content": "ours", "project_id": "p1"},
        ]
    }
    life, _ = await outcome_of(hostile(answer), store)
    assert (await life.runs_with())["prompt"].endswith("\n\nours")
    assert "left out: 3 of other projects." in life.world.condition("ContextReady")["message"]


async def test_what_the_rules_would_refuse_in_a_request_is_not_added(
    modern: RunningBrain, store: ArtifactStore
) -> None:
    """Whoever writes to the Brain has no way around them."""
    for text in ("Rex the detective kills a g.0.b.l.i.n", "Rex the detective sleeps"):
        modern.knowledge.store_document("p1", text, {})
    life = Life(modern.settings(), store)
    life.rules = read_rules({"a": "{id: goblins, action: refuse, words: [goblin]}"})
    await life.learns()
    assert (await life.runs_with())["prompt"].endswith("rain\n\nRex the detective sleeps")
    assert "1 that the rules of moderation do not allow" in life.world.condition("ContextReady")["message"]


@pytest.mark.parametrize(
    "answer",
    [
        {"results": "not a list"},
        {"results": [None, 1, [], {}, {"content": None}, {"content": "\x00\x01"}]},
        {"results": [{"content": {"deep": {"deep": {}}}}]},
        {"results": [{"content": "x", "score": float("1e999")}] * 3} | {"score": "high"},
        {},
    ],
    ids=["text", "nonsense", "objects", "scores", "empty"],
)
async def test_nonsense_settles_the_question(store: ArtifactStore, answer: Any) -> None:
    life, outcome = await outcome_of(hostile(json.loads(json.dumps(answer).replace("Infinity", "2"))), store)
    assert outcome.settled
    assert life.world.jobs


@pytest.mark.parametrize("embedding", [[], ["x"], [[1.0]], {"a": 1}, None, [1e31], [True], [0.1] * 10_000])
async def test_what_is_no_embedding_is_not_searched_for(store: ArtifactStore, embedding: Any) -> None:
    asked = []

    async def serve(request: web.Request) -> web.StreamResponse:
        message = await request.json()
        if message["method"] == "tools/call":
            asked.append(message["params"]["name"])
            result = {"content": [], "structuredContent": {"embedding": embedding}}
            return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})
        return await hostile({})(request)  # type: ignore[no-any-return]

    _, outcome = await outcome_of(serve, store)
    assert (outcome.settled, outcome.error) == (False, "embed_text: the answer has no embedding")
    assert asked == ["embed_text"]


async def test_an_endless_answer_is_not_read(store: ArtifactStore) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while sent < 64 * ANSWER_LIMIT:
            await response.write(b"[" * 65536)
            sent += 65536
        return response

    _, outcome = await outcome_of(endless, store, seconds=30)
    assert outcome.error == f"the Brain answered with more than {ANSWER_LIMIT} bytes"
    assert sent < 32 * ANSWER_LIMIT


async def test_packed_answers_are_refused(store: ArtifactStore) -> None:
    async def packed(request: web.Request) -> web.StreamResponse:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        return web.Response(body=b"\x1f\x8b" + bytes(100), headers=headers)

    _, outcome = await outcome_of(packed, store, seconds=30)
    assert "packs its answers" in outcome.error


async def test_one_drop_after_the_other_ends_with_the_time(store: ArtifactStore) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\n:\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with raw_receiver(drip) as port:
        life = Life(BrainSettings(url=f"http://127.0.0.1:{port}"), store, brain={"timeoutSeconds": 1})
        before = time.monotonic()
        outcome = await life.asks()
        took = time.monotonic() - before
    assert outcome is not None
    assert outcome.error == "no answer within 1 s"
    assert took < 15


async def test_a_schema_of_the_brains_is_never_looked_at(store: ArtifactStore) -> None:
    """It may hold an expression that takes a thousand years to match."""
    listed = 0

    async def serve(request: web.Request) -> web.StreamResponse:
        nonlocal listed
        message = await request.json()
        listed += message["method"] == "tools/list"
        return await hostile({"results": [{"content": "a" * 60}]})(request)  # type: ignore[no-any-return]

    _, outcome = await outcome_of(serve, store)
    assert outcome.settled
    assert listed == 0


async def test_what_the_brain_wishes_is_not_done(store: ArtifactStore) -> None:
    """It may ask for a sample, for words of a person, or to be asked elsewhere."""
    reached = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        reached.append(request.path)
        return web.Response()

    async with receiver(elsewhere) as other:

        async def serve(request: web.Request) -> web.StreamResponse:
            raise web.HTTPTemporaryRedirect(f"http://127.0.0.1:{other}/mcp")

        _, outcome = await outcome_of(serve, store)
    assert outcome.error.startswith("the Brain answered 307")
    assert outcome.permanent
    assert reached == []


async def test_a_brain_that_does_not_answer_is_not_waited_for_by_each(store: ArtifactStore) -> None:
    """A thousand tasks would wait for hours, one after the other."""
    asked = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()

    async with raw_receiver(silent) as port:
        settings = BrainSettings(url=f"http://127.0.0.1:{port}")
        lives = [Life(settings, store, f"task-{number}", brain={"timeoutSeconds": 1}) for number in range(FAILURES + 5)]
        async with lives[0].effects() as (ask, _):
            outcomes = [await ask.run(life.task, life.world.asked[-1]) for life in lives]
    assert [outcome is not None and not outcome.settled for outcome in outcomes] == [True] * len(lives)
    assert asked == FAILURES
