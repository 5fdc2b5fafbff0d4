"""Callbacks and inputs that try to reach what is inside: by spelling, by name, by redirect, and by a name that changes.

Every attempt to connect is seen, also to addresses that this machine does not have.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from integration.api.conftest import PROMPT, World
from mediatask_crds.podcontract import InputsPolicy
from mediatask_job.failures import InvalidInput
from mediatask_job.inputs.download import Downloader, Unreachable
from support.front import Figure
from support.hostile_urls import ALLOWED, SPECIAL, SPELLINGS, Observer, observer
from support.receivers import completed, deliverer, first_try

NETWORKS = [f"{ALLOWED}/32"]
FLIPS = 1000
PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy")


@pytest.fixture
async def seen(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Observer]:
    async with observer(monkeypatch) as found:
        for name in PROXIES:
            monkeypatch.setenv(name, f"http://127.0.0.1:{found.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield found


class Webhook:
    """A webhook of the operator's."""

    def __init__(self) -> None:
        self._effect = deliverer(networks=NETWORKS, timeout=20)

    async def __call__(self, url: str) -> bool:
        task = completed("http://example.invalid/")
        assert task.spec.callback is not None
        task.spec.callback.url = url  # also what the resource's own pattern would refuse
        delivery = await self._effect.run(task, first_try(task))
        assert delivery is not None
        return delivery.ok


class Download:
    """An input of a job's."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "input"
        policy = InputsPolicy(allow_networks=NETWORKS, timeout_seconds=20, max_seconds=3600)
        self._downloader = Downloader(policy, lambda: None)

    async def __call__(self, url: str) -> bool:
        try:
            await asyncio.to_thread(self._downloader.outside, url, self._file)
        except (InvalidInput, Unreachable):
            return False
        return True


@pytest.fixture(params=["callback", "input"])
def call(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Calls a URL as one of the two that do; whether it answered."""
    return Webhook() if request.param == "callback" else Download(tmp_path)


async def test_hostile_urls(seen: Observer, call: Any, figure: Figure) -> None:
    assert await call(f"http://{ALLOWED}:{seen.port}/"), "what may be called is"
    tried = 0
    for url in seen.urls():
        assert not await call(url), ascii(url)
        assert seen.forbidden == [], ascii(url)
        tried += 1
    assert seen.allowed == 1
    figure(f"{tried} URLs, 0 connections to what is forbidden")
    assert tried >= 200


async def test_redirects_to_hostile_urls(seen: Observer, call: Any, figure: Figure) -> None:
    tried = 0
    for url in seen.urls():
        if not url.isascii() or not url.isprintable():
            continue  # not in a header
        seen.location = url
        await call(f"http://{ALLOWED}:{seen.port}/")
        assert seen.forbidden == [], ascii(url)
        tried += 1
    assert seen.allowed >= tried
    figure(f"{tried} redirects, 0 connections to what is forbidden")


async def test_names_that_change(seen: Observer, call: Any, figure: Figure) -> None:
    """Each question gets another answer: public first, private then, both at once in either order."""
    inside = cycle(["127.0.0.1", "::1", "169.254.169.254", "10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
    answers = cycle(
        [lambda: [ALLOWED], lambda: [next(inside)], lambda: [ALLOWED, next(inside)], lambda: [next(inside), ALLOWED]]
    )
    given: list[list[str]] = []

    def names(_: str) -> list[str]:
        given.append(next(answers)())
        return given[-1]

    seen.names = names
    answered = 0
    for _ in range(FLIPS):
        answered += await call(f"http://rebinding.example:{seen.port}/")
    figure(f"{FLIPS} flips, {seen.questions} questions, {len(seen.forbidden)} connections to what is forbidden")
    assert seen.forbidden == []
    assert len(given) == FLIPS, "each try asks once"
    assert answered == seen.allowed == given.count([ALLOWED]), "only where every answer was allowed, and there"


async def test_redirects_to_names_that_change(seen: Observer, tmp_path: Path, figure: Figure) -> None:
    """Each hop asks anew, and connects where its own answer says."""
    flips = cycle([[ALLOWED], [ALLOWED], ["127.0.0.1"], [ALLOWED, "::1"]])
    seen.names = lambda name: next(flips)
    seen.location = f"http://rebinding.example:{seen.port}/next"
    download = Download(tmp_path)
    for _ in range(100):
        assert not await download(f"http://rebinding.example:{seen.port}/")
    figure(
        f"100 chains of redirects, {seen.questions} questions, {len(seen.forbidden)} connections to what is forbidden"
    )
    assert seen.forbidden == []
    assert (seen.questions, seen.allowed) == (200, 100), "of two chains one gets to its third hop"


async def test_what_a_submit_already_refuses(world: World, figure: Figure) -> None:
    """Addresses in any spelling: whoever sends them learns it at once."""
    seen = Observer(port=8080)
    refused = tried = 0
    for url in seen.urls():
        for body in (
            {**PROMPT, "callback_url": url},
            {**PROMPT, "task_type": "generate_image", "task_data": {"prompt": "x", "reference_images": [url]}},
        ):
            answer = await world.api.post("/tasks/submit", json=body)
            assert answer.status_code in (202, 400), ascii(url)
            tried += 1
            refused += answer.status_code == 400
    literal = [
        *(
            host
            for host in SPELLINGS
            if host[:1].isdigit() and host[-1:].isdigit() and host.isascii() and host != "4294967297"
        ),
        "localhost",
        "a.localhost",
        "[::1]",
    ]
    literal += [address if ":" not in address else f"[{address}]" for address in SPECIAL]
    for host in literal:
        answer = await world.api.post("/tasks/submit", json={**PROMPT, "callback_url": f"http://{host}/"})
        assert answer.status_code == 400, ascii(host)
    figure(f"{refused} of {tried} refused before there was a task; the others name hosts, which are looked up later")
