"""Progress reports from a thread of their own, so that inference never waits for the network."""

from __future__ import annotations

import logging
import threading

from mediatask_crds.podcontract import ProgressReport

from ..failures import JobFailure, Stopped, Superseded
from .api import Api
from .retry import NotNow
from .signals import Stop

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.5
HEARTBEAT_SECONDS = 10.0
"""A report even without news: its answer is how a job learns that its task was cancelled."""
_LAST_REPORT_SECONDS = 2.0
"""How long the end of the job waits for a report that is under way."""


class Progress:
    """Sends the latest state at most every `INTERVAL_SECONDS`. Use as a context manager around the work."""

    def __init__(self, api: Api, attempt: int, stop: Stop) -> None:
        self._api = api
        self._attempt = attempt
        self._stop = stop
        self._state = ("starting", 0.0)
        self._sent: tuple[str, float] | None = None
        self._news = threading.Event()
        self._done = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def report(self, step: str, fraction: float) -> None:
        """Say how far the job is: `step` in snake_case, `fraction` 0..1. It never falls."""
        before, reached = self._state
        if step != before:
            log.info("%s", step)
        self._state = (step[:128], max(reached, min(fraction, 1.0)))
        self._news.set()

    def state(self) -> tuple[str, float]:
        """Step and fraction as they are now."""
        return self._state

    def __enter__(self) -> Progress:
        self._news.set()
        self._thread.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Stop reporting. A failed attempt still reports the step where it failed; a good one has its result."""
        self._failed = error is not None and not isinstance(error, Stopped | Superseded)
        self._done.set()
        self._news.set()
        self._thread.join(timeout=_LAST_REPORT_SECONDS)

    def _run(self) -> None:
        while not self._done.is_set():
            self._news.wait(HEARTBEAT_SECONDS)
            if self._done.is_set():
                break
            self._news.clear()
            if not self._send():
                return
            self._done.wait(INTERVAL_SECONDS)
        if self._failed and self._state != self._sent:
            self._send()

    def _send(self) -> bool:
        """One report; False when there is no point in another."""
        self._sent = step, fraction = self._state
        report = ProgressReport(attempt=self._attempt, progress=fraction, step=step)
        try:
            if self._api.progress(report).cancel:
                self._stop.request(Stopped("Cancelled", "the task was cancelled"))
                return False
        except NotNow as error:
            log.debug("progress not reported: %s", error)
        except Superseded as reason:
            self._stop.request(reason)
            return False
        except JobFailure as error:
            log.warning("progress not reported: %s", error)
        return True
