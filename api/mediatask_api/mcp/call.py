"""One call of an agent: who asks, with which services, over which request."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel

from ..auth.access import RECHECK_SECONDS, still_allowed
from ..auth.principal import Principal
from ..dependencies import Services
from ..events.subscription import Subscription
from ..http.body import parse
from ..tasks.schemas import TaskAnswer
from .progress import Report, telling

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Call:
    """A request to one of the tools, resources or tasks."""

    request: Request
    report: Report | None
    """Tells the caller how far it is; None where nobody asked."""

    @property
    def services(self) -> Services:
        services: Services = self.request.app.state.services
        return services

    @property
    def caller(self) -> Principal:
        principal: Principal = self.request.state.principal
        return principal

    def arguments(self, model: type[M], given: dict[str, Any]) -> M:
        """The arguments as a model. Raises ApiError (400) naming each faulty one."""
        return parse(model, given, "arguments")

    async def wait(self, task_id: str, seconds: float) -> TaskAnswer:
        """A task's state as soon as it is final, or after so many seconds. The caller holds a place among the waiters.

        It ends early once the credentials are not valid any more: ask `still_allowed` before anything is told.
        """
        services, caller, gone = self.services, self.caller, _Gone(self.request)
        async with telling(services, caller, task_id, self.report):
            return await services.tasks.wait(caller, task_id, seconds, gone)

    async def first(self, subscription: Subscription, kind: str, seconds: float) -> dict[str, Any] | None:
        """What the first event of a kind says; None where none comes in time, or nobody waits for it any more."""
        gone, deadline = _Gone(self.request), time.monotonic() + seconds
        while subscription.closed is None and time.monotonic() < deadline and not await gone():
            for event in await subscription.take(1.0):
                if event.kind == kind:
                    return event.data
                if event.terminal:
                    return None
        return None


class _Gone:
    """Whether nobody is left to wait for: the caller has hung up, or lost its right to the answer."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._checked = time.monotonic()

    async def __call__(self) -> bool:
        hung_up: asyncio.Event = self._request.state.hung_up
        if hung_up.is_set():
            return True
        if time.monotonic() - self._checked < RECHECK_SECONDS:
            return False
        self._checked = time.monotonic()
        return not await still_allowed(self._request)
