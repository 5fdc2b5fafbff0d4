"""Callers who do not stop and do not repeat themselves: every call that fails is kept."""

from __future__ import annotations

import threading
from typing import Self

import httpx

from cluster.kits.release.release import Release

PAUSE_SECONDS = 0.05


class Calls:
    """Runs between `with` and its end: one caller keeps its connections, another opens a new one for each call.

    Args:
        paths: what they read in turn.
    """

    def __init__(self, release: Release, paths: list[str]) -> None:
        self._base, self._headers = release.api_url, {"X-API-Key": release.api_key}
        self._paths = paths
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(keep,), daemon=True) for keep in (True, False)]
        self.answered = 0
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, keep: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=5 if keep else 0)
        with httpx.Client(
            base_url=self._base, headers=self._headers, limits=limits, trust_env=False, timeout=10
        ) as http:
            while True:
                for path in self._paths:
                    self._call(http, path)
                    if self._stop.wait(PAUSE_SECONDS):
                        return

    def _call(self, http: httpx.Client, path: str) -> None:
        try:
            answer = http.get(f"/api/v1{path}")
        except httpx.TransportError as error:
            self.failures.append(f"{path}: {error!r}")
            return
        if answer.is_success:
            self.answered += 1
        else:
            self.failures.append(f"{path}: {answer.status_code} {answer.text}")
