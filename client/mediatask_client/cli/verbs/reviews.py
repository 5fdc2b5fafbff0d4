"""Verbs about media that is held for a review.

Without `from __future__ import annotations`: see `tasks.py`.
"""

from typing import Annotated, Literal

import typer

from ...config import DEFAULT_DIR
from ..app import app
from ..options import Dir, Format, IdProject, Key, Output, TaskId, Url

group = typer.Typer(no_args_is_help=True, help="Held media: what waits for a review, release, reject.")
app.add_typer(group, name="reviews")

Note = Annotated[str, typer.Option(help="Why, for other reviewers.")]


@group.command("list")
def list_(
    project: Annotated[str | None, typer.Option("--project", "-p", help="Of one project alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most to show.")] = 20,
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Show tasks whose media waits for a review, the longest first."""
    from ..session import Session
    from ..terminal.output import write_reviews

    with Session(url, api_key, folder) as session:
        write_reviews(output, session.client.reviews(project, limit=limit))


@group.command()
def release(
    task_id: TaskId,
    note: Note = "",
    project: IdProject = "default",
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Release a task's held media: the task completes."""
    _review(task_id, project, "release", note, output, url, api_key, folder)


@group.command()
def reject(
    task_id: TaskId,
    note: Note = "",
    project: IdProject = "default",
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Reject a task's held media: the task fails, and the media stays closed."""
    _review(task_id, project, "reject", note, output, url, api_key, folder)


def _review(
    task_id: TaskId,
    project: IdProject,
    decision: Literal["release", "reject"],
    note: str,
    output: Output,
    url: Url,
    api_key: Key,
    folder: Dir,
) -> None:
    from ..session import Session
    from ..terminal.output import write_status

    with Session(url, api_key, folder) as session:
        write_status(output, session.on(task_id, project, lambda task: session.client.review(task, decision, note)))
