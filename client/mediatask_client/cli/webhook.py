"""Verbs about the webhooks of tasks.

Without `from __future__ import annotations`: see `tasks.py`.
"""

import typer

from ..config import DEFAULT_DIR
from .app import app
from .options import Dir, Format, IdProject, Key, Output, TaskId, Url

group = typer.Typer(no_args_is_help=True, help="What became of the webhooks of tasks, and delivery anew.")
app.add_typer(group, name="webhook")


@group.command()
def log(
    task_id: TaskId,
    project: IdProject = "default",
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Show a task's webhook and its last tries."""
    from .output import write_webhook
    from .session import Session

    with Session(url, api_key, folder) as session:
        write_webhook(output, session.on(task_id, project, session.client.webhook))


@group.command()
def redeliver(
    task_id: TaskId,
    project: IdProject = "default",
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Deliver a task's last webhook anew."""
    from .output import write_webhook
    from .session import Session

    with Session(url, api_key, folder) as session:
        write_webhook(output, session.on(task_id, project, session.client.redeliver_webhook))
