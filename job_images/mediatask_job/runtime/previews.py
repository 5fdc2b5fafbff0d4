"""Previews on their way to the API, from a thread of their own: neither the drawing nor the reports wait for them."""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable

from mediatask_crds.podcontract import PreviewReport

from ..failures import JobFailure, Superseded
from .api import Api
from .retry import NotNow

log = logging.getLogger(__name__)


class Previews:
    """Sends the latest preview, once. What the API does not take in time is lost, and nothing else."""

    def __init__(self, api: Api, attempt: int, state: Callable[[], tuple[str, float]]) -> None:
        """`state` says how far the job is: step and fraction."""
        self._api = api
        self._attempt = attempt
        self._state = state
        self._latest: bytes | None = None
        self._news = threading.Event()
        self._thread: threading.Thread | None = None
        self._over = False

    def show(self, image: bytes) -> bool:
        """Send a JPEG, unless a newer one comes before it is its turn. Never waits; False once the API takes none."""
        self._latest = image
        self._news.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="previews", daemon=True)
            self._thread.start()
        return not self._over

    def _run(self) -> None:
        while not self._over:
            self._news.wait()
            self._news.clear()
            if (image := self._latest) is not None:
                self._send(image)

    def _send(self, image: bytes) -> None:
        step, fraction = self._state()
        encoded = base64.b64encode(image).decode()
        report = PreviewReport(attempt=self._attempt, progress=fraction, step=step, image=encoded)
        try:
            self._api.preview(report)
        except NotNow as error:
            log.debug("preview not taken: %s", error)
        except (JobFailure, Superseded) as error:
            # An API that is older than previews, or another pod has the task, which the reports of progress tell.
            log.info("no more previews: %s", error)
            self._over = True
