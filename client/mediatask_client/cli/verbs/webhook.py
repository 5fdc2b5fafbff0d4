"""Verbs about the webhooks of tasks.

Without `from __future__ import annotations`: see `tasks.py`.
"""

from typing import Annotated, Any

import typer

from ...config import DEFAULT_DIR
from ..app import app
from ..options import Dir, Format, IdProject, Key, Output, TaskId, Url

group = typer.Typer(
    no_args_is_help=True, help="Webhooks: what became of them, delivery anew, a receiver for this machine."
)
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
    from ..session import Session
    from ..terminal.output import write_webhook

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
    from ..session import Session
    from ..terminal.output import write_webhook

    with Session(url, api_key, folder) as session:
        write_webhook(output, session.on(task_id, project, session.client.redeliver_webhook))


@group.command(epilog="Example: mediatask webhook listen --forward http://localhost:3000/webhooks")
def listen(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8080,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            envvar="MEDIATASK_WEBHOOK_SECRETS",
            metavar="WHSEC",
            help="Signing secret; may be repeated, in the environment with blanks between. The local mode's if absent.",
        ),
    ] = None,
    forward: Annotated[
        str | None, typer.Option(metavar="URL", help="Pass genuine webhooks on to there, and its answers back.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many genuine webhooks.")] = None,
    output: Annotated[
        Format,
        typer.Option("--output", "-o", help="A line for each, JSON on one line, YAML documents, or task ids."),
    ] = Format.TABLE,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Receive webhooks on this machine, verify and print them, until Ctrl-C.

    Submit tasks with --callback-url and the address that is shown. The service has to reach it: with a local mode it
    does.
    """
    from ...webhooks.listener import Listener
    from ..terminal.output import write_received
    from ..webhooksecrets import signing_secrets

    def tell(received: Any) -> None:
        write_received(output, received)

    listener = Listener((host, port), signing_secrets(secret, folder), tell, forward, count)
    typer.secho(f"listening on {listener.url}", dim=True, err=True)
    listener.run()
