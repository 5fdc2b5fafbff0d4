"""The `mediatask` command. Results go to standard output, what happens meanwhile to standard error.

Exit codes: 0 done, 1 a task failed or the service could not do it, 2 the command or the request is wrong.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from typer.core import TyperGroup

from . import submission
from .config import DEFAULT_DIR, ENV_API_KEY, ENV_DIR, ENV_URL, StoreKind
from .display import display
from .errors import InvalidRequest, MediaTaskError, NotConfigured, NotFound
from .files import other_name, target
from .models import Task
from .output import Format, write, write_task, write_tasks
from .sdk import Client
from .viewer import open_file, preview


class _Group(TyperGroup):
    """Turns this package's errors into messages and exit codes, for every verb alike."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MediaTaskError as error:
            _err().print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
            wrong_request = isinstance(error, submission.UsageError | InvalidRequest | NotConfigured)
            raise typer.Exit(2 if wrong_request else 1) from error


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Make media: submit tasks, follow them, fetch what they made.",
    epilog="Exit codes: 0 done, 1 a task failed or the service could not do it, 2 the command or request is wrong.",
)

Url = Annotated[str | None, typer.Option(envvar=ENV_URL, help="Address of the service; else the local mode's.")]
Key = Annotated[str | None, typer.Option(envvar=ENV_API_KEY, help="API key; else the local mode's.")]
Dir = Annotated[Path, typer.Option("--dir", envvar=ENV_DIR, help="State folder of the local mode.")]
Store = Annotated[
    StoreKind,
    typer.Option(
        envvar="MEDIATASK_STORE_KIND",
        help="Where media lies. s3: an S3 server started here, or the one that MEDIATASK_STORE_ENDPOINT_URL and "
        "MEDIATASK_STORE_BUCKET name.",
    ),
]
Output = Annotated[Format, typer.Option("--output", "-o", help="How to write the result.")]
Project = Annotated[str, typer.Option("--project", "-p", envvar="MEDIATASK_PROJECT", help="Project id.")]
TaskId = Annotated[str, typer.Argument(metavar="ID", help="Task id, as `submit` or `list` show it.")]


@app.command()
def up(
    folder: Dir = DEFAULT_DIR,
    api_port: Annotated[int, typer.Option(help="Port of the REST API.")] = 8001,
    gpus: Annotated[
        int | None,
        typer.Option(
            min=1, help="GPU slots: tasks with a GPU that run at once; one per device, 2 where there is none."
        ),
    ] = None,
    store: Store = "file",
) -> None:
    """Start the whole service on this machine and stay until Ctrl-C; a restart continues.

    An embedded Kubernetes API, the operator, the REST API and a Job runner; no cluster needed.
    """
    from mediatask_common.logging import setup_logging
    from mediatask_local.up import UpInfo, run

    setup_logging()

    def ready(info: UpInfo) -> None:
        out = _out()
        rows = {"API": info.api_url, "docs": f"{info.api_url}/docs", "API key": info.api_key}
        rows["GPU slots"] = f"{info.gpu_slots}" if info.gpu_devices else f"{info.gpu_slots}, virtual: no NVIDIA device"
        if info.s3_url:
            rows["S3"] = f"{info.s3_url} (its keys are in {folder / 'secrets'})"
        for name, value in rows.items():
            out.print(f"{name:<11} {value}", markup=False, highlight=False, soft_wrap=True)
        out.print(f"kubeconfig  {info.kubeconfig}\n", markup=False, highlight=False, soft_wrap=True)
        here = "" if folder == DEFAULT_DIR else f" --dir {folder}"
        out.print(f'Try:  mediatask submit generate_image "a lighthouse at dusk" --wait --download .{here}')
        out.print(f"      kubectl --kubeconfig {info.kubeconfig} get mt -w", soft_wrap=True)
        out.print("Ctrl-C stops it; the state stays.", style="dim")

    raise typer.Exit(run(folder, api_port=api_port, gpus=gpus, store=store, on_ready=ready))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for what comes out.")] = Path("out"),
    folder: Annotated[
        Path | None, typer.Option("--dir", help="State folder; a temporary one when absent.", show_default=False)
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the state and logs in place at the end.")] = False,
    store: Store = "file",
) -> None:
    """Make a picture, a film, a voice line and a prompt result, from REST call to signed webhook.

    Starts the local mode on free ports, runs the four example tasks, shows what came out, and stops.
    """
    from .demo.run import run

    raise typer.Exit(run(out, state=folder, keep=keep, store=store, console=Console(highlight=False)))


@app.command()
def types(
    name: Annotated[str | None, typer.Argument(metavar="TYPE", help="Show the fields of this one.")] = None,
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Show what can be made: the task types, or the fields of one."""
    with Client(url, api_key, folder) as client:
        answer = [client.task_type(name)] if name else client.task_types()
    if output != Format.TABLE:
        write(_out(), output, answer[0] if name else answer)
    elif name:
        for field, kind in answer[0]["schema"]["properties"].items():
            _out().print(f"{field:<24} {kind.get('description', '')}", markup=False, highlight=False)
    else:
        for entry in answer:
            _out().print(f"{entry['name']:<18} {entry['summary']}", markup=False, highlight=False)


@app.command()
def submit(
    task_type: Annotated[
        str | None, typer.Argument(metavar="TYPE", help="Task type, for example generate_image; see `types`.")
    ] = None,
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="What to draw, film, say or ask: the type's main field.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field of the request; may be repeated."),
    ] = None,
    file: Annotated[
        typer.FileText | None, typer.Option(help="JSON or YAML: a whole request, or its task_data; - reads stdin.")
    ] = None,
    project: Project = "default",
    priority: Annotated[int | None, typer.Option(min=0, max=9, help="0 is most urgent; 5 when absent.")] = None,
    callback_url: Annotated[str | None, typer.Option(help="Where to post the signed webhook.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Echoed in the webhook; may be repeated.")
    ] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key never makes a second task.")] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Follow it to its end.")] = False,
    download: Annotated[Path | None, typer.Option(help="Wait, and write the media to this file or folder.")] = None,
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Submit a task.

    mediatask submit generate_image "Detective in 1920s noir style" --set width=512 --set seed=7 --wait --download .
    """
    with Client(url, api_key, folder) as client:
        body = _body(client, file, task_type, text, settings or [], project)
        options = {"priority": priority, "callback_url": callback_url, "idempotency_key": idempotency_key}
        body |= {name: value for name, value in options.items() if value is not None}
        if metadata:
            body["metadata"] = {**body.get("metadata", {}), **_pairs(metadata)}
        submitted = client.submit(**body)
        if not (wait or download):
            if output != Format.TABLE:
                write(_out(), output, submitted.raw())
            else:
                _out().print(submitted.task_id, highlight=False)
                _err().print(f"queued; follow it with: mediatask watch {submitted.task_id}", style="dim")
            return
        (task,) = _follow(client, [submitted.task_id])
        if download:
            for path in _download(client, task, download):
                _err().print(f"written: {path}", highlight=False, markup=False, soft_wrap=True)
        _show(task, output)
    _exit_by([task])


@app.command()
def get(
    task_id: TaskId, output: Output = Format.TABLE, url: Url = None, api_key: Key = None, folder: Dir = DEFAULT_DIR
) -> None:
    """Show a task."""
    with Client(url, api_key, folder) as client:
        _show(client.get(task_id), output)


@app.command(name="list")
def list_tasks(
    project: Project = "default",
    status: Annotated[str | None, typer.Option(help="queued, processing, completed, failed or cancelled.")] = None,
    task_type: Annotated[str | None, typer.Option("--type", help="Task type.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Tasks on a page.")] = 20,
    page: Annotated[int, typer.Option(min=1, help="Page to show.")] = 1,
    output: Output = Format.TABLE,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """List a project's tasks, newest first."""
    with Client(url, api_key, folder) as client:
        found = client.page(project, page, limit, status=status, task_type=task_type)
    if output != Format.TABLE:
        write(_out(), output, found.raw())
        return
    write_tasks(_out(), found.tasks)
    if found.total != len(found.tasks):
        _err().print(f"page {found.page} of {found.pages}, {found.total} tasks in all", style="dim")


@app.command()
def watch(
    task_ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Tasks to follow.")] = None,
    project: Project = "default",
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Follow tasks to their end; without ids, all unfinished ones of the project."""
    with Client(url, api_key, folder) as client:
        ids = task_ids or [
            task.task_id for status in ("processing", "queued") for task in client.list(project, status=status)
        ]
        if not ids:
            _err().print(f"nothing is queued or running in project {project}", style="dim")
        _exit_by(_follow(client, ids))


@app.command()
def cancel(task_id: TaskId, url: Url = None, api_key: Key = None, folder: Dir = DEFAULT_DIR) -> None:
    """Stop a queued or running task and wait until it has stopped."""
    with Client(url, api_key, folder) as client:
        if not client.cancel(task_id).done:
            client.wait(task_id)
        _out().print(client.get(task_id).status, highlight=False)


@app.command()
def retry(
    task_id: TaskId,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Follow it to its end.")] = False,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Try a failed or cancelled task again, under the same id."""
    with Client(url, api_key, folder) as client:
        task = client.retry(task_id)
        if not wait:
            _out().print(task.status, highlight=False)
            return
        _exit_by(_follow(client, [task_id]))


@app.command()
def logs(
    task_id: TaskId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the attempt ends.")] = False,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Print the log of a task's latest attempt."""
    with Client(url, api_key, folder) as client:
        for line in client.logs(task_id, follow=follow):
            typer.echo(line)


@app.command(name="open")
def open_media(
    task_id: TaskId,
    to: Annotated[Path | None, typer.Option(help="File or folder to write to; a temporary one when absent.")] = None,
    view: Annotated[bool, typer.Option("--view/--no-view", help="Show it on the screen.")] = True,
    url: Url = None,
    api_key: Key = None,
    folder: Dir = DEFAULT_DIR,
) -> None:
    """Fetch a completed task's media and show it; prints where it lies."""
    with Client(url, api_key, folder) as client:
        paths = _download(client, client.get(task_id), to or Path(tempfile.mkdtemp(prefix="mediatask-")))
    for path in paths:
        _out().print(str(path), highlight=False, soft_wrap=True, markup=False)
        if view and not open_file(path):
            preview(_out(), path)


def _body(
    client: Client,
    file: Iterable[str] | None,
    task_type: str | None,
    text: str | None,
    settings: list[str],
    project: str,
) -> dict[str, Any]:
    """The request out of file and command line, whose words override the file's."""
    try:
        given = yaml.safe_load("".join(file)) if file else {}
    except yaml.YAMLError as error:
        raise submission.UsageError(f"--file is neither JSON nor YAML: {error}") from error
    if not isinstance(given, dict):
        raise submission.UsageError("--file holds no JSON or YAML object")
    body = given if "task_data" in given else {"task_data": given}
    name = task_type or body.get("task_type")
    if not name:
        raise submission.UsageError("say which TYPE of task; `mediatask types` lists them")
    data = submission.task_data(_schema(client, str(name)), text, settings, body["task_data"])
    return {"project_id": project, **body, "task_type": name, "task_data": data}


def _schema(client: Client, name: str) -> dict[str, Any]:
    try:
        schema: dict[str, Any] = client.task_type(name)["schema"]
    except NotFound:
        known = [entry["name"] for entry in client.task_types()]
        near = submission.closest(name, known)
        raise submission.UsageError(f"unknown task type {name}{near}; there are: {', '.join(known)}") from None
    return schema


def _follow(client: Client, task_ids: list[str]) -> list[Task]:
    """Show tasks on standard error until all have ended."""
    last: dict[str, Task] = {}
    with display(_err()) as shown:
        for task in client.follow(task_ids):
            last[task.task_id] = task
            shown.show(task)
    return list(last.values())


def _show(task: Task, output: Format) -> None:
    if output == Format.TABLE:
        write_task(_out(), task)
    else:
        write(_out(), output, task.raw())


def _exit_by(tasks: list[Task]) -> None:
    """Raises TaskFailed for the first task that did not complete: exit code 1."""
    for task in tasks:
        task.raise_for_status()


def _pairs(entries: list[str]) -> dict[str, str]:
    pairs = [entry.partition("=") for entry in entries]
    if wrong := [key for key, equals, _ in pairs if not equals]:
        raise submission.UsageError(f"--metadata {wrong[0]}: write it as key=value")
    return {key: value for key, _, value in pairs}


def _download(client: Client, task: Task, to: Path) -> list[Path]:
    """Write a task's media to a file, or all its files to a folder (a path without a suffix, made when missing)."""
    media, *others = task.artifacts()
    if to.suffix and not to.is_dir():
        return [client.fetch(media, to)]
    to.mkdir(parents=True, exist_ok=True)
    first = client.fetch(media, target(to, task.task_id, media))
    return [first, *(client.fetch(other, to / other_name(task.task_id, other)) for other in others)]


def _out() -> Console:
    # Rich takes 80 columns for granted where there is no terminal, and would fold ids and URLs in files.
    return Console(width=None if sys.stdout.isatty() else 240)


def _err() -> Console:
    return Console(stderr=True, width=None if sys.stderr.isatty() else 240)


def main() -> None:
    app()
