"""Tests that run at the same time: each mostly waits for a controller, and none meets another.

The tests of a module that carry `@side_by_side` are started together with the first of them, each on a ground of
its own. Reported they are one by one, as any others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cluster.kits.played.ground import Ground, open_ground
from cluster.kits.played.installed import Installed
from mediatask_common.kube import Kube

Scenario = Callable[[Ground], Awaitable[None]]
Outcomes = dict[str, "asyncio.Task[None]"]


def side_by_side(**task_class: Any) -> Callable[[Scenario], Callable[..., Awaitable[None]]]:
    """Run the test together with the others of its module; keywords go into the spec of its ground's class."""

    def mark(scenario: Scenario) -> Callable[..., Awaitable[None]]:
        name = scenario.__name__

        @pytest.mark.asyncio(loop_scope="module")
        async def test(outcomes: Outcomes) -> None:
            await outcomes[name]

        test.__name__, test.__qualname__, test.__doc__ = name, scenario.__qualname__, scenario.__doc__
        test.__module__ = scenario.__module__
        test.scenario, test.task_class = scenario, task_class  # type: ignore[attr-defined]
        return test

    return mark


@asynccontextmanager
async def started(tests: Iterable[Any], kube: Kube, installed: Installed) -> AsyncIterator[Outcomes]:
    """Start the scenarios of tests; what each came to, by name."""

    async def play(test: Any) -> None:
        async with open_ground(kube, installed, **test.task_class) as ground:
            try:
                await test.scenario(ground)
            except AssertionError as error:
                error.add_note(await ground.report())
                raise

    running = {test.__name__: asyncio.create_task(play(test)) for test in tests}
    try:
        yield running
    finally:
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)
