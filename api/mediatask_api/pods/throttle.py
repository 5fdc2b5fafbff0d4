"""How often a pod may say something."""

from __future__ import annotations

import time

_PODS = 4096


class Throttle:
    """Lets what a pod says pass now and then."""

    def __init__(self) -> None:
        self._passed: dict[str, float] = {}

    def allows(self, pod: str, interval: float) -> bool:
        """Whether `interval` seconds are over since something of the pod passed."""
        now, last = time.monotonic(), self._passed.pop(pod, None)
        early = last is not None and now - last < interval
        self._passed[pod] = last if early and last is not None else now
        while len(self._passed) > _PODS:
            self._passed.pop(next(iter(self._passed)))
        return not early
