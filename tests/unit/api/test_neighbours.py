"""The registry of neighbours: what is told of each, when each is asked, and that a dead one delays nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_api.platform.neighbours.known import shown
from mediatask_api.platform.neighbours.registry import Neighbour, Registry, Unwell
from support.front import until


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (None, None),
        ("redis://:pw@redis.example.com:6379/0", "redis://redis.example.com:6379"),
        ("redis://user:p@ss/wo?rd#x@redis:6379/0?password=pw", "redis://redis:6379"),
        ("rediss://redis.example.com:6379/0?password=pw", "rediss://redis.example.com:6379/0"),
        ("unix:///run/redis.sock?db=0&password=pw", "unix:///run/redis.sock"),
        ("https://cms.example.com/api?key=pw#pw", "https://cms.example.com/api"),
        ("https://key:pw@cms.example.com/api", "https://cms.example.com"),
        ("pw", None),
    ],
)
def test_urls_are_told_without_credentials(url: str | None, told: str | None) -> None:
    assert shown(url) == told


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_no_password_is_told_whatever_is_in_it(password: str) -> None:
    for url in (f"redis://:{password}@host:1/0", f"https://u:{password}@host:1/api"):
        assert shown(url) in ("redis://host:1", "https://host:1")


class Played:
    """A neighbour whose check the test plays."""

    def __init__(self, name: str, play: Callable[[], Exception | None] = lambda: None) -> None:
        self.asked = 0
        self.answer = asyncio.Event()
        self.answer.set()
        self.play = play
        self.neighbour = Neighbour(name, None, self.check)

    async def check(self) -> None:
        self.asked += 1
        await self.answer.wait()
        if error := self.play():
            raise error


async def states(registry: Registry) -> dict[str, tuple[str, str | None]]:
    return {neighbour.name: (found.state, found.message) for neighbour, found in await registry.states()}


async def test_up_and_down_and_why() -> None:
    played = [
        Played("a"),
        Played("b", lambda: Unwell("answers 503")),
        Played("c", lambda: OSError("to secret-host with password")),
    ]
    registry = Registry([each.neighbour for each in played])
    assert await states(registry) == {"a": ("up", None), "b": ("down", "answers 503"), "c": ("down", "OSError")}
    await registry.close()


async def test_many_callers_ask_a_neighbour_once() -> None:
    one = Played("one")
    registry = Registry([one.neighbour])
    await asyncio.gather(*(states(registry) for _ in range(100)))
    await states(registry)
    assert one.asked == 1
    await registry.close()


async def test_a_dead_neighbour_neither_delays_the_others_nor_is_asked_twice_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mediatask_api.platform.neighbours.registry.PATIENCE_SECONDS", 0.2)
    dead, well = Played("dead"), Played("well")
    dead.answer.clear()
    registry = Registry([dead.neighbour, well.neighbour], timeout=0.05, fresh=0)
    assert await states(registry) == {"dead": ("down", "no answer within 0.05 s"), "well": ("up", None)}
    monkeypatch.setattr("mediatask_api.platform.neighbours.registry.PATIENCE_SECONDS", 60)

    async def asked_often() -> bool:
        await states(registry)  # which would wait for a minute
        return well.asked > 20

    await until(asked_often)
    assert dead.asked == 1
    dead.answer.set()

    async def back() -> bool:
        return (await states(registry))["dead"] == ("up", None)

    await until(back)
    await registry.close()


async def test_nothing_is_known_of_a_neighbour_before_its_first_check_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mediatask_api.platform.neighbours.registry.PATIENCE_SECONDS", 0.02)
    dead, well = Played("dead"), Played("well")
    dead.answer.clear()
    registry = Registry([dead.neighbour, well.neighbour])
    assert await states(registry) == {"dead": ("unknown", None), "well": ("up", None)}
    await registry.close()
