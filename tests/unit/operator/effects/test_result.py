"""A job's words, whatever they are: proved, refused, and never more than the status can hold."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mediatask_common.settings import StoreSettings
from mediatask_common.store import artifact_key, result_key
from mediatask_common.store.file import FileStore
from mediatask_crds.podcontract import JobResult, TerminationMessage
from mediatask_local.apiserver.schema import schema
from mediatask_operator.deciding.attempts import Ended
from mediatask_operator.deciding.observation import NotPublished, Proof, Published, StoreAway, Task
from mediatask_operator.deciding.plan import ReadResult
from mediatask_operator.deciding.reasons import Reason
from mediatask_operator.effects.result import REPORT_LIMIT, prove
from support.taskworld import UID, World, a_task

MEDIA = b"a picture"
KEY = artifact_key("p1", UID, 1, "image.png")
ARTIFACT: dict[str, Any] = {
    "name": "image.png",
    "key": KEY,
    "sha256": hashlib.sha256(MEDIA).hexdigest(),
    "bytes": len(MEDIA),
    "content_type": "image/png",
}
CRD = yaml.safe_load((Path(__file__).parents[4] / "crds" / "tasks.ft.tc_mediatasks.yaml").read_text())
STATUS_SCHEMA = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]


def a_store(folder: Path) -> FileStore:
    store = FileStore(StoreSettings(folder=folder))
    asyncio.run(store.create(KEY, MEDIA, "image/png"))
    return store


def proof_of(folder: Path, *, report: Any = None, stored: bytes | None = None, task: Task | None = None) -> Proof:
    """What is proved of a result that was report in the termination message, or stored as the published one."""
    store = a_store(folder)
    if stored is not None:
        asyncio.run(store.create(result_key("p1", UID), stored, "application/json"))
    message = None if report is None else TerminationMessage(result=JobResult.model_validate(report))
    ended = Ended(Reason.SUCCEEDED, "", success=True, report=message)
    return asyncio.run(prove(store, task or Task.parse(a_task()), 1, ended))


def a_result(**changes: Any) -> dict[str, Any]:
    """A result whose only artifact is in the store, but for these changes of it or of its artifact."""
    artifact = {**ARTIFACT, **{key: value for key, value in changes.items() if key in ARTIFACT}}
    rest = {key: value for key, value in changes.items() if key not in ARTIFACT}
    return {"artifacts": [artifact], "metadata": {"seed": 7}, **rest}


def test_what_the_store_bears_out_is_published(tmp_path: Path) -> None:
    proof = proof_of(tmp_path, report=a_result())
    assert isinstance(proof, Published)
    assert proof.result == JobResult.model_validate(a_result())
    assert proof.media_url is None, "a signed link in the status would let in everybody who may read the task"


def test_the_media_of_a_public_store_has_an_address(tmp_path: Path) -> None:
    a_store(tmp_path)
    public = FileStore(StoreSettings(folder=tmp_path, public_url="https://media.example.com"))
    ended = Ended(Reason.SUCCEEDED, "", success=True, report=TerminationMessage(result=JobResult(**a_result())))
    proof = asyncio.run(prove(public, Task.parse(a_task()), 1, ended))
    assert isinstance(proof, Published)
    assert proof.media_url == f"https://media.example.com/{KEY}"


def test_without_last_words_the_published_result_is_read(tmp_path: Path) -> None:
    proof = proof_of(tmp_path, stored=orjson.dumps({"attempt": 1, "result": a_result()}))
    assert isinstance(proof, Published)


def test_without_either_there_is_no_result(tmp_path: Path) -> None:
    assert proof_of(tmp_path) == NotPublished(Reason.NO_RESULT, Reason.NO_RESULT.sentence)


def nested(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"metadata": {"seed": 2**63}}, Reason.RESULT_INVALID),
        ({"metadata": {"a": [{"b": float("nan")}]}}, Reason.RESULT_INVALID),
        ({"metadata": {"a": float("-inf")}}, Reason.RESULT_INVALID),
        ({"metadata": {"a": nested(100)}}, Reason.RESULT_INVALID),
        ({"metadata": {"a": nested(900)}}, Reason.RESULT_INVALID),
        ({"metadata": {"a": "x" * 100_000}}, Reason.RESULT_INVALID),
        ({"metadata": {"a": "x" * REPORT_LIMIT}}, Reason.RESULT_INVALID),
        ({"timings": {"x" * 1000: 1.0}}, Reason.RESULT_INVALID),
        ({"timings": {f"x{n}": 1.0 for n in range(1000)}}, Reason.RESULT_INVALID),
        ({"artifacts": []}, Reason.RESULT_INVALID),
        ({"artifacts": [ARTIFACT] * 65}, Reason.RESULT_INVALID),
        ({"key": f"projects/p1/{UID}/1//image.png"}, Reason.RESULT_INVALID),
        ({"key": f"projects/p1/{UID}/1/" + "a" * 3000, "name": "a" * 3000}, Reason.RESULT_INVALID),
        ({"key": f"projects/p1/{UID}/1/" + "a/" * 300, "name": "a/" * 300}, Reason.RESULT_INVALID),
        ({"key": f"projects/p1/{UID}/2/image.png"}, Reason.RESULT_INVALID),
        ({"key": f"projects/p1/{UID}/0/image.png"}, Reason.RESULT_INVALID),
        ({"key": f"projects/p1/{UID}/01/image.png"}, Reason.RESULT_INVALID),
        ({"key": f"projects/p2/{UID}/1/image.png"}, Reason.RESULT_INVALID),
        ({"key": "projects/p1/another-task/1/image.png"}, Reason.RESULT_INVALID),
        ({"key": ""}, Reason.RESULT_INVALID),
        ({"key": "\0"}, Reason.RESULT_INVALID),
        ({"name": "other.png"}, Reason.RESULT_INVALID),
        ({"name": "", "key": f"projects/p1/{UID}/1/"}, Reason.RESULT_INVALID),
        ({"name": "../image.png", "key": f"projects/p1/{UID}/1/../image.png"}, Reason.RESULT_INVALID),
        ({"name": "a\n.png", "key": f"projects/p1/{UID}/1/a\n.png"}, Reason.RESULT_INVALID),
        ({"name": "b.png", "key": f"projects/p1/{UID}/1/b.png"}, Reason.ARTIFACT_MISSING),
        ({"sha256": "0" * 64}, Reason.ARTIFACT_MISMATCH),
        ({"sha256": "x" * 100_000}, Reason.RESULT_INVALID),
        ({"bytes": 4}, Reason.ARTIFACT_MISMATCH),
        ({"bytes": -1}, Reason.RESULT_INVALID),
        ({"bytes": 10**30}, Reason.RESULT_INVALID),
        ({"content_type": "image/webp"}, Reason.ARTIFACT_MISMATCH),
        ({"content_type": "text/html"}, Reason.RESULT_INVALID),
        ({"content_type": "x" * 100_000}, Reason.RESULT_INVALID),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_cannot_be_used_is_not_published(tmp_path: Path, change: dict[str, Any], reason: Reason) -> None:
    proof = proof_of(tmp_path, stored=json.dumps({"attempt": 1, "result": a_result(**change)}).encode())
    assert isinstance(proof, NotPublished)
    assert proof.reason is reason
    assert 0 < len(proof.message) <= 1000


def test_last_words_get_no_more_credit(tmp_path: Path) -> None:
    for number, change in enumerate(({"key": f"projects/p2/{UID}/1/image.png"}, {"bytes": 4}, {"artifacts": []})):
        assert isinstance(proof_of(tmp_path / str(number), report=a_result(**change)), NotPublished)


def test_an_earlier_attempts_files_are_the_tasks_own(tmp_path: Path) -> None:
    ended = Ended(Reason.SUCCEEDED, "", success=True, report=TerminationMessage(result=JobResult(**a_result())))
    assert isinstance(asyncio.run(prove(a_store(tmp_path), Task.parse(a_task()), 3, ended)), Published)


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"attempt": 1}',
        b'{"attempt": 1, "result": {}}',
        b'{"attempt": 1, "result": {"artifacts": [], "metadata": {}, "x": 1}}',
        b" " * (REPORT_LIMIT * 2),
    ],
    ids=lambda content: repr(content[:40]),
)
def test_a_published_report_that_is_none_is_refused(tmp_path: Path, stored: bytes) -> None:
    proof = proof_of(tmp_path, stored=stored)
    assert isinstance(proof, NotPublished)
    assert proof.reason is Reason.RESULT_INVALID
    assert len(proof.message) <= 1000


def test_a_store_that_cannot_be_read_says_nothing_about_the_result(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    (tmp_path / "objects" / "projects").rename(tmp_path / "gone")
    (tmp_path / "objects" / "projects").write_text("not a folder")
    ended = Ended(Reason.SUCCEEDED, "", success=True)
    assert isinstance(asyncio.run(prove(store, Task.parse(a_task()), 1, ended)), StoreAway)


# ---- whatever a job says, the task gets a status that the API server takes

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(["x" * 5000, KEY, "projects/", "\0"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ODD_ARTIFACT = st.fixed_dictionaries(
    {field: st.just(value) | JSON for field, value in ARTIFACT.items()},
    optional={"more": JSON},
)
RESULT = st.fixed_dictionaries(
    {
        "artifacts": st.lists(st.just(ARTIFACT) | ODD_ARTIFACT, max_size=3) | JSON,
        "metadata": st.dictionaries(st.text(max_size=8), JSON, max_size=4) | JSON,
    },
    optional={"timings": st.dictionaries(st.text(max_size=8), st.floats() | JSON, max_size=4) | JSON},
)
WORDS = st.fixed_dictionaries(
    {},
    optional={
        "result": RESULT | JSON,
        "result_key": JSON,
        "error": st.fixed_dictionaries({"code": JSON, "message": JSON, "retryable": JSON}) | JSON,
        "superseded": JSON,
    },
)


def end_of_task(words: str, code: int, stored: bytes | None) -> World:
    """A task whose only attempt ends so; its result is asked of a real store."""
    with tempfile.TemporaryDirectory() as folder:
        store = a_store(Path(folder))
        if stored is not None:
            asyncio.run(store.create(result_key("p1", UID), stored, "application/json"))
        world = World(task=a_task(retry={"limit": 0}))
        world.settle()
        world.end(world.start(), code, message=words)
        for _ in range(3):
            asked = [action for action in world.reconcile().actions if isinstance(action, ReadResult)]
            if asked:
                task = Task.parse(world.task)
                world.proof = asyncio.run(prove(store, task, asked[0].attempt, asked[0].ended))
    return world


def check_status(world: World) -> None:
    """It ends, and with a status that travels as JSON and that the API server takes."""
    assert world.phase in ("completed", "failed")
    travelled = orjson.loads(orjson.dumps(world.status))
    assert list(schema.validate(travelled, STATUS_SCHEMA)) == []
    assert len(orjson.dumps(world.status)) < 2 * REPORT_LIMIT


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(words=WORDS | JSON, code=st.sampled_from([0, 0, 1, 10, 20]))
@example(words={"result": a_result(metadata={"seed": 10**30})}, code=0)
@example(words={"result": a_result(key="projects//x")}, code=0)
@example(words={"result": a_result(key="x" * 3000)}, code=0)
@example(words={"result": a_result(timings={"infer": float("nan")})}, code=0)
def test_no_last_words_lead_to_a_status_that_is_refused(words: Any, code: int) -> None:
    check_status(end_of_task(json.dumps(words), code, None))


@settings(max_examples=30, deadline=None)
@given(words=st.text(st.characters(exclude_categories=["Cs"]), max_size=6000), code=st.sampled_from([0, 1, 10, 137]))
def test_nor_does_any_text(words: str, code: int) -> None:
    check_status(end_of_task(words, code, None))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(report=st.fixed_dictionaries({"attempt": st.just(1) | JSON, "result": RESULT}) | JSON)
def test_nor_does_any_published_report(report: Any) -> None:
    check_status(end_of_task("", 0, json.dumps(report).encode()))
