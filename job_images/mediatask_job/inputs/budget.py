"""What the inputs of a task may take: each by itself, and all of them together."""

from __future__ import annotations

import threading
import time

from mediatask_crds.podcontract import InputsPolicy

from ..failures import InvalidInput


class Budget:
    """Bytes and seconds, shared by downloads in several threads. The time of all together starts with the first."""

    def __init__(self, policy: InputsPolicy) -> None:
        self._policy = policy
        self._lock = threading.Lock()
        self._bytes = 0
        self._end: float | None = None

    def deadline(self) -> float:
        """When a download that starts now has to be complete, by `time.monotonic`."""
        with self._lock:
            now = time.monotonic()
            if self._end is None:
                self._end = now + self._policy.max_seconds
            return min(now + self._policy.timeout_seconds, self._end)

    def take(self, count: int) -> None:
        """Count bytes that have arrived.

        Raises:
            InvalidInput: all inputs together are larger than allowed.
        """
        with self._lock:
            self._bytes += count
            if self._bytes > self._policy.max_total_bytes:
                raise InvalidInput(
                    "InputsTooLarge",
                    f"the inputs together have more than {self._policy.max_total_bytes} bytes (the class's "
                    "inputs.maxTotalBytes)",
                )
