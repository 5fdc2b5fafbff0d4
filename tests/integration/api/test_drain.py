"""Stopping a replica fails no call: connections move on by themselves, and callers that wait are answered."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .conftest import PROMPT
from .test_process import PATIENCE, process

LIVE = "/api/v1/health/live"


def test_while_draining_everything_is_answered_and_every_connection_ends(
    tmp_path: Path, kubeconfig: Path, namespace: str
) -> None:
    with process(tmp_path, kubeconfig, namespace, drain_seconds=5) as (client, _, running):
        assert client.get(LIVE).headers.get("connection") != "close"
        running.send_signal(signal.SIGTERM)
        closing = 0
        while closing < 20:
            answer = client.get(LIVE)
            assert answer.status_code == 200
            closing += answer.headers.get("connection") == "close"
        assert client.post("/api/v1/tasks/submit", json=PROMPT).status_code == 202
        assert running.wait(PATIENCE) == 0


def test_whoever_waits_for_a_task_is_answered_before_the_end(tmp_path: Path, kubeconfig: Path, namespace: str) -> None:
    with (
        process(tmp_path, kubeconfig, namespace, drain_seconds=10) as (client, _, running),
        ThreadPoolExecutor() as pool,
    ):
        # No operator runs here: the task stays queued.
        held = pool.submit(client.post, "/api/v1/tasks/submit", json=PROMPT, headers={"Prefer": "wait=60"}, timeout=30)
        deadline = time.monotonic() + 10
        while client.get("/api/v1/stats").json()["total"] == 0:
            assert time.monotonic() < deadline
        running.send_signal(signal.SIGTERM)
        answer = held.result(15)
        assert answer.status_code == 202
        assert running.wait(PATIENCE) == 0
