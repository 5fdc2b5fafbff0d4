"""Cost records on standard output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import typer

from mediatask_common.csvtext import csv_lines

from ...models import CostRecord
from ..options import Format
from .output import write_document, write_names
from .text import one_line

COLUMNS = (
    "task_id", "task_type", "class", "status", "completed_at", "attempts",
    "gpu_seconds", "cpu_seconds", "amount", "currency",
)  # fmt: skip
"""As the service names them in its own CSV."""


def write_records(form: Format, records: Sequence[CostRecord]) -> None:
    """What tasks have used and are charged, one line each for people."""
    if form == Format.NAME:
        write_names(record.task_id for record in records)
    elif form != Format.TABLE:
        write_document(form, [record.raw() for record in records])
    else:
        typer.echo(f"{'ENDED':<16}  {'TYPE':<16}  {'STATUS':<9}  {'GPU SECONDS':>12}  {'COST':>16}  ID")
        for record in records:
            cost = "-" if record.amount is None else f"{record.amount:,.6f} {one_line(record.currency or '')}"
            typer.echo(
                f"{record.completed_at:%Y-%m-%d %H:%M}  {one_line(record.task_type):<16}  {record.status:<9}  "
                f"{record.gpu_seconds:>12,.1f}  {cost:>16}  {one_line(record.task_id)}"
            )


def write_records_csv(records: Iterable[CostRecord]) -> None:
    """The records as they come, for spreadsheets."""
    typer.echo(csv_lines([COLUMNS]), nl=False)
    for record in records:
        told = record.raw()
        values = (told.get(name) for name in COLUMNS)
        typer.echo(csv_lines([[one_line(each) if isinstance(each, str) else each for each in values]]), nl=False)
