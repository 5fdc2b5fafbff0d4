"""The verbs that show what a project has used, is charged and may spend, and what a task would cost.

Without `from __future__ import annotations`: see `tasks.py`.
"""

from datetime import datetime
from typing import Annotated, Literal

import typer

from ...config import DEFAULT_DIR
from ..app import app
from ..options import (
    Dir,
    Format,
    Key,
    MainText,
    Output,
    Priority,
    Project,
    RequestFile,
    Settings,
    TypeName,
    Url,
    named_project,
)


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
    budgets: Annotated[bool, typer.Option("--budgets", help="The project's budgets and how they stand.")] = False,
    output: Annotated[
        Literal["table", "json", "yaml", "name", "csv"],
        typer.Option("--output", "-o", help="As for other verbs; csv for --records."),
    ] = "table",
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Show ended tasks, GPU time and cost of a project, or its budgets."""
    from ..session import Session
    from ..terminal.budgets import write_budgets
    from ..terminal.output import write_usage
    from ..terminal.records import write_records, write_records_csv

    days = {"first": first.date() if first else None, "last": last.date() if last else None}
    if output == "csv" and not records:
        raise typer.BadParameter("csv is for --records", param_hint="--output")
    if budgets and (records or first or last):
        raise typer.BadParameter("budgets are shown alone, as they stand now", param_hint="--budgets")
    with Session(url, api_key, folder) as session:
        if budgets:
            write_budgets(Format(output), session.client.budgets(project))
        elif not records:
            write_usage(Format(output), session.client.usage(project, **days, group_by=group_by))
        elif output == "csv":
            write_records_csv(session.cost_records(project, **days))
        else:
            write_records(Format(output), list(session.cost_records(project, **days)))


@app.command(epilog='Example: mediatask estimate generate_image "a lighthouse at dusk" --set width=512')
def estimate(
    context: typer.Context,
    task_type: TypeName = None,
    text: MainText = None,
    settings: Settings = None,
    file: RequestFile = None,
    project: Project = "default",
    priority: Priority = None,
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Show how long a task would wait and run, and what it would cost; nothing is submitted."""
    from ..request import Arguments, build, read_file
    from ..session import Session
    from ..terminal.budgets import write_estimation

    arguments = Arguments(task_type, text, settings or [], [], named_project(context, project))
    request = read_file(file.read()) if file else {}
    with Session(url, api_key, folder) as session:
        body = build(request, arguments, {"priority": priority}, project, session.schema)
        body.pop("idempotency_key", None)
        write_estimation(output, session.client.estimate(**body))
