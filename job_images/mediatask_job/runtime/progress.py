"""Progress reports from a thread of their own, so that inference never waits for the network."""

from __future__ import annotations

import logging
import threading
import time

from mediatask_crds.podcontract import HEARTBEAT_SECONDS, ProgressAnswer, ProgressReport, ResourceUsage

from ..failures import JobFailure, Stopped, Superseded
from .api import Api, Refused
from .retry import NotNow
from .signals import Stop
from .usage import measure

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.5
USAGE_SECONDS = 5.0
"""Least time between two reports that say what the job uses."""
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
        self._usage_due: float | None = 0.0
        """When usage is measured next; None once the API has refused it."""
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
            # A report even without news: its answer is how a job learns that its task was cancelled.
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
        report = ProgressReport(attempt=self._attempt, progress=fraction, step=step, usage=self._usage())
        try:
            if self._tell(report).cancel:
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

    def _tell(self, report: ProgressReport) -> ProgressAnswer:
        try:
            return self._api.progress(report)
        except Refused as refused:
            if report.usage is None or refused.status != 400:
                raise
            log.info("usage is not reported: %s", refused)
            self._usage_due = None
            return self._api.progress(report.model_copy(update={"usage": None}))

    def _usage(self) -> ResourceUsage | None:
        now = time.monotonic()
        if self._usage_due is None or now < self._usage_due:
            return None
        self._usage_due = now + USAGE_SECONDS
        return measure()
