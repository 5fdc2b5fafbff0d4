"""Effects over real receivers and a real store: what hangs holds up nobody else."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from mediatask_common.settings import StoreSettings
from mediatask_common.store import open_store
from mediatask_crds.podcontract import JobResult, TerminationMessage
from mediatask_operator.deciding.attempts import Ended
from mediatask_operator.deciding.observation import Delivery, Outcome, Proved, Published, Task
from mediatask_operator.deciding.plan import ReadResult, SendWebhook
from mediatask_operator.effects.base import Effects
from mediatask_operator.effects.pool import EffectPool
from mediatask_operator.effects.result import ProveResult
from mediatask_operator.metrics import Metrics
from mediatask_operator.settings import OperatorSettings
from support.receivers import completed, deliverer, first_try, numbered, raw_receiver, receiver
from support.taskworld import RESULT, a_task

HANGING = 160
MEDIA = b"a picture"


class Operator:
    """Both kinds of effects, in pools as the settings' defaults have them."""

    def __init__(self, folder: Path, **webhooks_are: Any) -> None:
        settings, metrics = OperatorSettings(), Metrics()
        self.store = open_store(StoreSettings(folder=folder))
        self.outcomes: list[Outcome] = []
        self._tasks: dict[str, Task] = {}
        self._effects = Effects(lambda _, uid: self._tasks[uid], self._learned, lambda *_: None, metrics)
        webhook = deliverer(timeout=600, workers=settings.webhook_workers, metrics=metrics, **webhooks_are)
        webhooks = EffectPool(settings.webhook_workers, settings.webhook_workers_per_host)
        self._effects.register(SendWebhook, webhook, webhooks)
        results = EffectPool(settings.result_workers, settings.result_workers)
        self._effects.register(ReadResult, ProveResult(self.store), results)

    def call(self, task: Task) -> None:
        self._tasks[task.uid] = task
        self._effects.submit(task, first_try(task))

    def prove(self, task: Task, result: JobResult) -> None:
        self._tasks[task.uid] = task
        ended = Ended("Succeeded", "", success=True, report=TerminationMessage(result=result))
        self._effects.submit(task, ReadResult(1, ended))

    def _learned(self, _: Task, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    async def outcome(self, holds: Callable[[Outcome], bool]) -> tuple[Outcome, float]:
        """The first such outcome, and the seconds until it came."""
        started = time.monotonic()
        async with asyncio.timeout(60):
            while not (found := [outcome for outcome in self.outcomes if holds(outcome)]):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return found[0], time.monotonic() - started

    async def close(self) -> None:
        await self._effects.close()


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def accept(_: web.Request) -> web.Response:
    return web.Response()


def delivered(outcome: Outcome) -> bool:
    return isinstance(outcome, Delivery) and outcome.ok


async def test_a_result_and_other_receivers_do_not_wait_for_one_that_hangs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = Operator(tmp_path)
    artifact = RESULT.artifacts[0]
    await operator.store.create(artifact.key, MEDIA, "image/png")
    digest = hashlib.sha256(MEDIA).hexdigest()
    stored = artifact.model_copy(update={"bytes": len(MEDIA), "sha256": digest})
    result = RESULT.model_copy(update={"artifacts": [stored]})
    async with raw_receiver(hang) as hanging, receiver(accept) as well:
        for number in range(HANGING):
            operator.call(numbered(completed(f"http://localhost:{hanging}/"), number))
        operator.prove(Task.parse(a_task()), result)
        operator.call(numbered(completed(f"http://127.0.0.1:{well}/"), HANGING))
        proved, seconds = await operator.outcome(lambda outcome: isinstance(outcome, Proved))
        assert isinstance(proved, Proved)
        assert isinstance(proved.proof, Published)
        _, others = await operator.outcome(delivered)
        assert len(operator.outcomes) == 2
        await operator.close()
    with capsys.disabled():
        print(f"\nbehind {HANGING} hanging webhooks: a result {seconds:.3f} s, another host's {others:.3f} s after it")


async def test_a_fault_of_our_own_is_a_failed_try_that_is_made_again(tmp_path: Path) -> None:
    def sign(*_: Any) -> str:
        raise RuntimeError("a secret that nobody is to read")

    operator, task = Operator(tmp_path, sign=sign), completed("http://localhost:9/")
    operator.call(task)
    outcome, _ = await operator.outcome(lambda outcome: isinstance(outcome, Delivery))
    await operator.close()
    assert outcome == Delivery(first_try(task).webhook_id, 1, ok=False, error="internal error: RuntimeError")


async def test_names_that_do_not_resolve_hold_up_neither_other_names_nor_the_loops_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, release = Operator(tmp_path), threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        if host == "slow.example":
            release.wait(60)
        return real(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with receiver(accept) as well:
        for number in range(HANGING):
            operator.call(numbered(completed("http://slow.example/"), number))
        operator.call(numbered(completed(f"http://localhost:{well}/"), HANGING))
        try:
            await operator.outcome(delivered)
            async with asyncio.timeout(30):
                await asyncio.gather(*(asyncio.to_thread(time.monotonic) for _ in range(50)))
            assert len(operator.outcomes) == 1
        finally:
            release.set()
            await operator.close()


async def test_a_lookup_that_goes_on_counts_as_a_try_of_its_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else every try of a dead name server would leave one more thread behind."""
    release, asked = threading.Event(), threading.Event()

    def getaddrinfo(*_: Any, **__: Any) -> Any:
        asked.set()
        release.wait(60)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    task = completed("http://slow.example/")
    trying = asyncio.create_task(deliverer(timeout=0.05).run(task, first_try(task)))
    try:
        await asyncio.to_thread(asked.wait, 30)
        await asyncio.wait([trying], timeout=0.5)
        assert not trying.done()
    finally:
        release.set()
    delivery = await trying
    assert delivery is not None
    assert delivery.error == "no answer within 0.05 s"
