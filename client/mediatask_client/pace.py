"""Polling interval of a followed task: short while things move, longer while they do not."""

from __future__ import annotations

from dataclasses import dataclass

FASTEST = 0.3
SLOWEST = 3.0


@dataclass
class Pace:
    """Seconds until the next poll; grows by a quarter with each poll that shows nothing new."""

    seconds: float = FASTEST

    def after(self, *, changed: bool) -> float:
        self.seconds = FASTEST if changed else min(self.seconds * 1.25, SLOWEST)
        return self.seconds
