"""Results on standard output: a table for people, JSON or YAML for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .display import COLOURS, step
from .models import Task


class Format(StrEnum):
    """Ways to write a result."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def write(console: Console, form: Format, value: Any) -> None:
    """A JSON value, as JSON or YAML, never wrapped or coloured."""
    text = (
        json.dumps(value, indent=2, ensure_ascii=False)
        if form == Format.JSON
        else yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip()
    )
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def write_tasks(console: Console, tasks: Sequence[Task]) -> None:
    """One row per task."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("ID", "TYPE", "STATUS", "PROGRESS", "ATTEMPT", "TIME", "STEP"):
        table.add_column(heading, no_wrap=heading != "STEP", overflow="fold")
    for task in tasks:
        table.add_row(
            task.task_id,
            task.task_type or "",
            Text(task.status, style=COLOURS[task.status]),
            f"{task.progress:.0%}",
            str(task.attempt or ""),
            "" if task.seconds is None else f"{task.seconds:.1f} s",
            Text(step(task)),
        )
    console.print(table)


def write_task(console: Console, task: Task) -> None:
    """All of one task, one field a line; what is empty is left out."""
    fields = task.raw()
    result = fields.pop("result", None) or {}
    metadata = result.pop("metadata", None) or {}
    # Their addresses are long and signed; the first one is media_url, programs read the rest from JSON.
    files = [f"{file['name']} ({file['bytes']:,} bytes)" for file in result.pop("artifacts", [])]
    shown = {**fields, **result, "files": ", ".join(files), **metadata}
    filled = {name: value for name, value in shown.items() if value not in (None, "", [], {})}
    width = max(map(len, filled))
    for name, value in filled.items():
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
        console.print(f"{name:<{width}}  {text}", markup=False, highlight=False, soft_wrap=True)
