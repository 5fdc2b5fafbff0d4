"""The local mode's Redis and S3 servers are killed while tasks run: all end once, and nothing is lost."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mediatask_client import Client
from mediatask_local.up import embedded
from support.gate import gated_mode
from support.mode import Receiver, Rest, in_view, kill, listed, until
from support.redisserver import redis_program
from support.s3server import s3_program

PROMPTS, VOICES = 10, 2


def test_redis_may_die_while_tasks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    redis_program()
    monkeypatch.delenv("REDIS_URL", raising=False)
    with embedded(tmp_path) as info:
        rest = Rest(info)
        first = rest.submit("before", "view")
        until(lambda: rest.status(first)["status"] == "completed")
        until(lambda: in_view(info, "view") == {first})
        kill(info, tmp_path, "redis")
        assert listed(info, "view") == {first}, "read from Kubernetes meanwhile"
        second = rest.submit("after", "view")
        until(lambda: rest.status(second)["status"] == "completed")
        until(lambda: in_view(info, "view") == {first, second})


@pytest.mark.timeout(400)
def test_kill_the_store_while_tasks_run(tmp_path: Path) -> None:
    s3_program()
    with (
        gated_mode(tmp_path, store="s3") as mode,
        Receiver() as receiver,
        Client(mode.api_url, mode.api_key) as client,
    ):
        receiver.secret = mode.webhook_secret
        rest = Rest(mode)
        tasks = [rest.submit(f"prompt-{n}", "killed", callback_url=receiver.url) for n in range(PROMPTS)]
        until(lambda: all(rest.status(task)["status"] == "processing" for task in tasks))
        speech = {"task_type": "process_audio", "task_data": {"text": "The store has gone away."}}
        tasks += [rest.submit(f"voice-{n}", "killed", callback_url=receiver.url, **speech) for n in range(VOICES)]
        kill(mode, tmp_path, "s3")
        (tmp_path / "gate").touch()
        # Again as they upload and publish, and as the operator proves what they have published.
        for ended in (1, 4, 7):
            until(lambda ended=ended: _ended(rest, tasks) >= ended)
            kill(mode, tmp_path, "s3")
        until(lambda: _ended(rest, tasks) == len(tasks), 120, every=0.5)
        for task in tasks:
            status = rest.status(task)
            assert (status["status"], status["attempt"]) == ("completed", 1), status
            for artifact in client.get(task).artifacts():
                path = client.fetch(artifact, tmp_path / "fetched" / artifact.name)
                assert hashlib.sha256(path.read_bytes()).hexdigest() == artifact.sha256
        until(lambda: receiver.ids.keys() == set(tasks), 60)
        assert all(len(set(ids)) == 1 for ids in receiver.ids.values())
    results = list((tmp_path / "s3" / "mediatask" / "projects" / "killed").glob("*/result.json"))
    assert len(results) == len(tasks)


def _ended(rest: Rest, tasks: list[str]) -> int:
    return sum(map(rest.has_ended, tasks))
