"""Verbs that ask a service, by its REST API.

Without `from __future__ import annotations`: Typer would evaluate each annotation from its text, which slows `--help`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from ...config import DEFAULT_DIR
from ..app import app
from ..options import (
    Dir,
    Format,
    IdProject,
    Key,
    MainText,
    Output,
    Priority,
    Project,
    RequestFile,
    Settings,
    Status,
    TaskId,
    TypeName,
    Url,
    named_project,
)
from ..terminal.text import safe

Wait = Annotated[bool, typer.Option("--wait", "-w", help="Follow it to its end.")]


@app.command()
def types(
    name: Annotated[str | None, typer.Argument(metavar="TYPE", help="Show the fields of this one.")] = None,
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Show the task types, or the fields of one."""
    from ..session import Session
    from ..terminal.output import write_fields, write_types

    with Session(url, api_key, folder) as session:
        if name:
            write_fields(output, session.task_type(name))
        else:
            write_types(output, session.client.task_types())


@app.command(epilog='Example: mediatask submit generate_image "a lighthouse at dusk" --set width=512 --download .')
def submit(
    context: typer.Context,
    task_type: TypeName = None,
    text: MainText = None,
    settings: Settings = None,
    file: RequestFile = None,
    project: Project = "default",
    priority: Priority = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="A word to find it by; may be repeated.")] = None,
    not_before: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Start no earlier: 2027-01-31T06:00:00Z, or local time without a zone."),
    ] = None,
    callback_url: Annotated[str | None, typer.Option(help="Where to post the signed webhook.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Echoed in the webhook; may be repeated.")
    ] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key never makes a second task.")] = None,
    wait: Wait = False,
    download: Annotated[Path | None, typer.Option(help="Wait, and write the media to this file or folder.")] = None,
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Submit a task; prints its id."""
    from ..request import Arguments, build, moment, read_file
    from ..session import Session
    from ..terminal import output as results

    arguments = Arguments(task_type, text, settings or [], metadata or [], named_project(context, project))
    options = {
        "priority": priority,
        "tags": tag,
        "not_before": moment(not_before) if not_before else None,
        "callback_url": callback_url,
        "idempotency_key": idempotency_key,
    }
    request = read_file(file.read()) if file else {}
    with Session(url, api_key, folder) as session:
        body = build(request, arguments, options, project, session.schema)
        submitted = session.client.submit(**session.with_uploads(body))
        if not (wait or download):
            results.write_submitted(output, submitted)
            return
        (task,) = session.follow([submitted.task_id])
        if download and task.status == "completed":
            for path in session.download(task, download):
                typer.echo(f"written: {path}", err=True)
        if output != Format.TABLE or task.status == "completed":
            results.write_task(output, task)
    _exit_by([task.status])


@app.command()
def get(
    task_id: TaskId,
    project: IdProject = "default",
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Show a task."""
    from ..session import Session
    from ..terminal.output import write_task

    with Session(url, api_key, folder) as session:
        write_task(output, session.on(task_id, project, session.client.get))


@app.command(name="list")
def list_tasks(
    project: Project = "default",
    status: Annotated[Status | None, typer.Option(help="Only tasks in this state.")] = None,
    task_type: Annotated[str | None, typer.Option("--type", help="Only tasks of this type.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only tasks with this tag.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Tasks per page.")] = 20,
    page: Annotated[int, typer.Option(min=1, help="Page to show.")] = 1,
    cursor: Annotated[str | None, typer.Option(help="Go on where an earlier page ended, whatever was added.")] = None,
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """List a project's tasks, newest first."""
    from ..session import Session
    from ..terminal.output import write_page

    with Session(url, api_key, folder) as session:
        found = session.client.page(project, page, limit, status=status, task_type=task_type, tag=tag, cursor=cursor)
        write_page(output, found)


@app.command()
def watch(
    task_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Tasks to follow, or the beginnings of their ids.")
    ] = None,
    project: Project = "default",
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Follow tasks to their end: those given, or all unfinished.

    Without ids it follows the queued and running tasks of the project.
    """
    from ..session import Session
    from ..terminal.output import write_tasks

    with Session(url, api_key, folder) as session:
        found = [session.on(given, project, session.client.get) for given in task_ids or []]
        ids = [task.task_id for task in found] or session.unfinished(project)
        if not ids:
            typer.echo(f"nothing is queued or running in project {safe(project)}", err=True)
        tasks = session.follow(ids)
        if output != Format.TABLE:
            write_tasks(output, tasks)
    _exit_by([task.status for task in tasks])


@app.command()
def cancel(
    task_id: TaskId,
    project: IdProject = "default",
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Stop a queued or running task and wait until it has stopped."""
    from ..session import Session
    from ..terminal.output import write_status

    with Session(url, api_key, folder) as session:
        task = session.on(task_id, project, session.client.cancel)
        write_status(output, task if task.done else session.client.wait(task.task_id))


@app.command()
def priority(
    task_id: TaskId,
    value: Annotated[int, typer.Argument(metavar="PRIORITY", min=0, max=9, help="0 is most urgent, 9 least.")],
    project: IdProject = "default",
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Give a queued task another priority."""
    from ..session import Session
    from ..terminal.output import write_status

    with Session(url, api_key, folder) as session:
        write_status(output, session.on(task_id, project, lambda found: session.client.set_priority(found, value)))


@app.command()
def retry(
    task_id: TaskId,
    project: IdProject = "default",
    wait: Wait = False,
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Try a failed or cancelled task again, under the same id."""
    from ..session import Session
    from ..terminal.output import write_status

    with Session(url, api_key, folder) as session:
        task = session.on(task_id, project, session.client.retry)
        if wait:
            (task,) = session.follow([task.task_id])
        write_status(output, task)
    if wait:
        _exit_by([task.status])


@app.command()
def logs(
    task_id: TaskId,
    attempt: Annotated[int | None, typer.Option(min=1, help="Whose log; the latest one's when absent.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the attempt ends.")] = False,
    project: IdProject = "default",
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Print the log of an attempt, the latest one by default."""
    from ..session import Session

    with Session(url, api_key, folder) as session:
        session.on(
            task_id, project, lambda found: _print_log(session.client.logs(found, attempt=attempt, follow=follow))
        )


@app.command()
def events(
    task_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="Task, or the beginning of its id; all of the project when absent."),
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="The lines of the log, too; of a task.")] = False,
    preview: Annotated[
        bool,
        typer.Option("--preview", help="Pictures while a task draws them, too; in terminals with colours."),
    ] = False,
    last_id: Annotated[str | None, typer.Option("--after", metavar="ID", help="Go on after this event.")] = None,
    project: Project = "default",
    output: Annotated[
        Format, typer.Option("--output", "-o", help="A line for each, JSON on one line, YAML documents, or kinds only.")
    ] = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Print events as they happen: of a task until it has ended, or of a project until Ctrl-C."""
    import io

    from ..session import Session
    from ..terminal.output import stdout, write_event
    from ..terminal.viewer import draw

    with Session(url, api_key, folder) as session:
        if task_id is None:
            for event in session.client.stream_project(project, last_id=last_id):
                write_event(output, event, named=True)
            return
        last = None
        found = session.on(task_id, project, session.client.get).task_id
        include = [*(["log"] if log else []), *(["preview"] if preview else [])]
        for event in session.client.stream(found, include=include, last_id=last_id):
            write_event(output, event)
            if event.picture and output == Format.TABLE:
                draw(stdout(), io.BytesIO(event.picture))
            last = event
    if last is not None:
        _exit_by([str(last.status)])


@app.command(name="open")
def open_media(
    task_id: TaskId,
    to: Annotated[Path | None, typer.Option(help="File or folder to write to; a temporary one when absent.")] = None,
    view: Annotated[bool, typer.Option("--view/--no-view", help="Show it on the screen.")] = True,
    project: IdProject = "default",
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Fetch a completed task's media and show it; prints its path."""
    import tempfile

    from ..session import Session
    from ..terminal.viewer import show

    with Session(url, api_key, folder) as session:
        task = session.on(task_id, project, session.client.get)
        paths = session.download(task, to or Path(tempfile.mkdtemp(prefix="mediatask-")))
    for path in paths:
        typer.echo(str(path))
        if view:
            show(path)


def _print_log(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(safe(line))


def _exit_by(statuses: list[str]) -> None:
    """Exit code 1 unless all completed; why a task did not has been shown while it was followed."""
    if any(status != "completed" for status in statuses):
        raise typer.Exit(1)
