"""The verb that shows what a project has used and is charged.

Without `from __future__ import annotations`: see `tasks.py`.
"""

from datetime import datetime
from typing import Annotated, Literal

import typer

from ...config import DEFAULT_DIR
from ..app import app
from ..options import Dir, Format, Key, Project, Url


@app.command()
def usage(
    project: Project = "default",
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, UTC; 29 days before --to.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, UTC; today when absent.")
    ] = None,
    group_by: Annotated[Literal["day", "task_type", "class"], typer.Option("--by", help="What to add up by.")] = "day",
    records: Annotated[bool, typer.Option("--records", help="One line for each task that ended.")] = False,
    output: Annotated[
        Literal["table", "json", "yaml", "name", "csv"],
        typer.Option("--output", "-o", help="As for other verbs; csv for --records."),
    ] = "table",
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Show ended tasks, GPU time and cost of a project."""
    from ..session import Session
    from ..terminal.output import write_usage
    from ..terminal.records import write_records, write_records_csv

    days = {"first": first.date() if first else None, "last": last.date() if last else None}
    if output == "csv" and not records:
        raise typer.BadParameter("csv is for --records", param_hint="--output")
    with Session(url, api_key, folder) as session:
        if not records:
            write_usage(Format(output), session.client.usage(project, **days, group_by=group_by))
        elif output == "csv":
            write_records_csv(session.cost_records(project, **days))
        else:
            write_records(Format(output), list(session.cost_records(project, **days)))
