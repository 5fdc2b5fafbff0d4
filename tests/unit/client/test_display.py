"""Progress for people."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from mediatask_client.cli.terminal.display import Lines, display
from mediatask_client.models import Task
from support.rest_service import task

STORY: list[dict[str, Any]] = [
    task("queued", progress=0, current_step="waiting_in_queue", queue_position=2, attempt=0),
    task("queued", progress=0, current_step="waiting_in_queue", queue_position=2, attempt=0),
    task("processing", progress=0.1, current_step="loading_model"),
    task("processing", progress=0.3, current_step="denoising"),
    task("processing", progress=0.6, current_step="denoising"),
    task("processing", progress=0.0, current_step="loading_model", attempt=2),
    task("completed", attempt=2),
]


def test_plain_lines_one_per_change() -> None:
    out = io.StringIO()
    ticks = iter(range(100))
    lines = Lines(Console(file=out, width=40), clock=lambda: float(next(ticks)))
    for state in STORY:
        lines.show(Task.model_validate(state))
    assert out.getvalue().splitlines() == [
        "    1.0 s  generate_image task-1     queued        0%  waiting in queue, position 2",
        "    2.0 s  generate_image task-1     processing   10%  loading model",
        "    3.0 s  generate_image task-1     processing   30%  denoising",
        "    4.0 s  generate_image task-1     processing    0%  loading model  (attempt 2)",
        "    5.0 s  generate_image task-1     completed   100%  upload complete  (attempt 2)",
    ]


def test_a_failure_says_why() -> None:
    out = io.StringIO()
    error = {"code": "InvalidInput", "message": "[red] is no picture", "retryable": False}
    Lines(Console(file=out)).show(Task.model_validate(task("failed", error=error)))
    assert "InvalidInput: [red] is no picture" in out.getvalue()


def test_bars_on_a_terminal() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    with display(console) as shown:
        for state in STORY:
            shown.show(Task.model_validate(state))
    last = out.getvalue()
    assert "━" in last
    assert "100%" in last
    assert "attempt 2" in last
