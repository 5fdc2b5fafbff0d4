"""Trying again, for a while, what may work in a moment."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from ..failures import Temporary
from .signals import Stop

log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 8.0


class NotNow(Exception):
    """This try did not work; the next one may."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the other side asked for."""


def patiently(call: Callable[[], T], what: str, stop: Stop, patience: float) -> T:
    """The first answer of `call`, tried with growing pauses for `patience` seconds.

    Raises:
        Temporary: nothing but `NotNow` all that time.
    """
    give_up = time.monotonic() + patience
    delay = _FIRST_DELAY_SECONDS
    while True:
        stop.check()
        try:
            return call()
        except NotNow as reason:
            # Jitter: many jobs lose the same server at the same moment.
            pause = max(delay * random.uniform(0.5, 1.0), reason.retry_after)
            if time.monotonic() + pause > give_up:
                raise Temporary("ApiUnreachable", f"{what}: {reason}") from reason
            log.warning("%s: %s; trying again in %.1f s", what, reason, pause)
            stop.wait(pause)
            delay = min(delay * 2, _LONGEST_DELAY_SECONDS)
