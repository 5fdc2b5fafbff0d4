"""The demo, step by step: start the service, submit, follow, check, fetch, show, stop."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .._sync.client import Client
from ..cli.terminal.display import display
from ..cli.terminal.text import one_line
from ..config import StoreKind
from ..errors import MediaTaskError
from ..models import Task
from . import results
from .environment import Delivery, Environment
from .poster import draw_poster
from .script import make_inputs, requests

TASKS_TIMEOUT = 600.0
WEBHOOKS_TIMEOUT = 60.0
LOG_LINES = 15
OWN = ("kubernetes", "redis", "store")
"""Services that each local mode has."""


class DemoFailed(MediaTaskError):
    """A result is missing or wrong."""


def run(out: Path, *, state: Path | None, keep: bool, store: StoreKind, console: Console) -> int:
    """The exit code: 0 when everything came out, 1 when not, 130 after Ctrl-C.

    Args:
        out: folder for the results.
        state: folder of the service's state; a temporary one when absent.
        keep: leave the state in place; it stays anyway when something failed, for its logs.
        store: where the service keeps the media.
    """
    from mediatask_local.child import StartError

    started = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    results.clear(out)
    folder = state or Path(tempfile.mkdtemp(prefix="mediatask-demo-"))
    try:
        _play(out, folder, store, console)
    except KeyboardInterrupt:
        console.print("stopped")
        code = 130
    except (MediaTaskError, StartError) as error:
        console.print(f"The demo failed: {error}", style="red", markup=False, soft_wrap=True)
        console.print(f"Logs of the service: {folder / 'logs'}", markup=False, soft_wrap=True)
        return 1
    else:
        console.print(f"Done in {time.monotonic() - started:.0f} s. Results: {out}", style="green", markup=False)
        code = 0
    if keep:
        console.print(
            f"State: {folder}; continue with: mediatask up --dir {folder} --store {store}", markup=False, soft_wrap=True
        )
    elif state is None:
        shutil.rmtree(folder, ignore_errors=True)
    return code


def _play(out: Path, folder: Path, store: StoreKind, console: Console) -> None:
    from mediatask_local.up import embedded

    console.print("Drawing the input pictures and humming a voice profile")
    files = make_inputs()
    console.print("Starting API server, operator, REST API and Job runner on this machine")
    with Environment(files) as environment, embedded(folder, store=store) as info:
        environment.secret = info.webhook_secret
        console.print(f"Ready: {info.api_url}", markup=False)
        if store == "s3":
            where = info.s3_url or "the S3 that the environment names"
            console.print(f"Media goes to {where}", markup=False)
        with Client(info.api_url, info.api_key) as client:
            _neighbours(client, console)
            tasks = _work(client, environment, console)
            _all_completed(client, tasks, console)
            webhooks = _webhooks(environment, tasks, console)
            console.print("Fetching the results")
            paths = results.download(client, tasks, out)
        results.write_records(out, tasks, webhooks, info.webhook_secret)
        if missing := files.keys() - environment.fetched:
            raise DemoFailed(f"inputs that no task fetched: {', '.join(sorted(missing))}")
        console.print("Stopping the service")
    draw_poster(paths, {str(task.task_type): task for task in tasks}).save(out / results.POSTER)
    _summary(console, tasks, paths, _documents(webhooks))


def _neighbours(client: Client, console: Console) -> None:
    """Those that the environment names: what every local mode has is not worth a line."""
    for service in client.services().services:
        if service.name in OWN:
            continue
        told = f"answers in {service.latency_ms:.0f} ms" if service.latency_ms is not None else service.message or ""
        console.print(f"Beside it: {service.name} at {service.url}, {service.state} ({told})", markup=False)


def _documents(webhooks: list[Delivery]) -> dict[str, str]:
    """Ids of the documents in PayloadCMS, by task, as the webhooks tell."""
    told = {delivery.body["task_id"]: delivery.body.get("result") or {} for delivery in webhooks}
    return {task: str(found) for task, result in told.items() if (found := result.get("payload_media_id")) is not None}


def _work(client: Client, environment: Environment, console: Console) -> list[Task]:
    """Submit the four tasks and show them to their end; in the order of their submission."""
    ids = []
    for body in requests(environment.url, environment.callback_url):
        submitted = client.submit(**body)
        console.print(f"Submitted {body['task_type']}: {submitted.task_id}", markup=False)
        ids.append(submitted.task_id)
    last: dict[str, Task] = {}
    with display(console) as shown:
        for task in client.follow(ids, timeout=TASKS_TIMEOUT):
            last[task.task_id] = task
            shown.show(task)
    return [last[task_id] for task_id in ids]


def _all_completed(client: Client, tasks: list[Task], console: Console) -> None:
    failed = [task for task in tasks if task.status != "completed"]
    for task in failed:
        console.print(one_line(f"{task.task_type} {task.status}: {task.why}"), style="red", markup=False)
        for line in list(client.logs(task.task_id))[-LOG_LINES:]:
            console.print(f"  {one_line(line)}", style="dim", markup=False, soft_wrap=True)
    if failed:
        raise DemoFailed(f"{len(failed)} of {len(tasks)} tasks did not complete")


def _webhooks(environment: Environment, tasks: list[Task], console: Console) -> list[Delivery]:
    ids = {task.task_id for task in tasks}
    received = environment.wait_for(ids, WEBHOOKS_TIMEOUT)
    if environment.refused:
        raise DemoFailed(f"a webhook was not genuine: {environment.refused[0]}")
    if missing := ids - {delivery.body["task_id"] for delivery in received}:
        raise DemoFailed(f"no webhook within {WEBHOOKS_TIMEOUT:g} s for: {', '.join(missing)}")
    console.print(f"{len(received)} webhooks received, every signature verified")
    return received


def _summary(console: Console, tasks: list[Task], paths: dict[str, Path], documents: dict[str, str]) -> None:
    table = Table(title="What came out", title_justify="left")
    for heading in ("task", "time", "file", "size", *(("document",) if documents else ()), "facts"):
        table.add_column(heading, justify="right" if heading in ("time", "size") else "left", overflow="fold")
    for task in tasks:
        path = paths[str(task.task_type)]
        seconds = "" if task.seconds is None else f"{task.seconds:.1f} s"
        size = f"{path.stat().st_size / 1000:,.0f} kB"
        document = (documents.get(task.task_id, ""),) if documents else ()
        table.add_row(task.task_type, seconds, path.name, size, *document, Text(one_line(results.in_words(task))))
    console.print(table)
    if documents:
        console.print(f"{len(documents)} of {len(tasks)} are documents in PayloadCMS; prompt tests have none")
