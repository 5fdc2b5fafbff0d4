"""The verb that shows what a project has used.

Without `from __future__ import annotations`: see `tasks.py`.
"""

from datetime import datetime
from typing import Annotated, Literal

import typer

from ...config import DEFAULT_DIR
from ..app import app
from ..options import Dir, Format, Key, Output, Project, Url


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
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Show ended tasks and GPU time of a project."""
    from ..session import Session
    from ..terminal.output import write_usage

    days = {"first": first.date() if first else None, "last": last.date() if last else None}
    with Session(url, api_key, folder) as session:
        write_usage(output, session.client.usage(project, **days, group_by=group_by))
