"""Results on standard output: a table for people, JSON or YAML for programs, or names alone.

Everything from the service goes through `text`: nothing that a job says reaches the terminal as a control sequence.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...models import BatchResult, HeldTasks, Page, Submitted, Task, TaskType, Upload, Usage, Webhook
from ...rest.events import Event
from ..options import Format
from .display import COLOURS, step
from .text import is_safe, one_line, safe_json

if TYPE_CHECKING:
    from ...webhooks.listener import Received


def stdout() -> Console:
    # Rich assumes 80 columns where there is no terminal, and would fold ids and URLs in files.
    return Console(width=None if sys.stdout.isatty() else 240)


def stderr() -> Console:
    return Console(stderr=True, width=None if sys.stderr.isatty() else 240)


def write_submitted(form: Format, submitted: Submitted) -> None:
    """The id alone for people, too: so that `$(mediatask submit ...)` is one."""
    if form in (Format.JSON, Format.YAML):
        write_document(form, submitted.raw())
        return
    write_names([submitted.task_id])
    if form == Format.TABLE:
        typer.secho(f"queued; follow it with: mediatask watch {one_line(submitted.task_id)}", dim=True, err=True)


def write_uploads(form: Format, uploads: Sequence[tuple[str, Upload]]) -> None:
    """Files and their references; the references alone for people, too. Signed URLs are used up and not shown."""
    if form in (Format.JSON, Format.YAML):
        write_document(
            form,
            [{"file": path, "upload_id": upload.upload_id, "reference": upload.reference} for path, upload in uploads],
        )
    else:
        write_names([upload.reference for _, upload in uploads])


def write_task(form: Format, task: Task) -> None:
    """All of one task; as a table one field a line, what is empty left out."""
    if form == Format.NAME:
        write_names([task.task_id])
    elif form != Format.TABLE:
        write_document(form, task.raw())
    else:
        _fields(task)


def write_status(form: Format, task: Task) -> None:
    """What has become of a task; for people its status alone."""
    if form == Format.TABLE:
        typer.echo(task.status)
    else:
        write_task(form, task)


def write_tasks(form: Format, tasks: Sequence[Task]) -> None:
    """Tasks, as a list; as a table one row each."""
    if form == Format.NAME:
        write_names(task.task_id for task in tasks)
    elif form != Format.TABLE:
        write_document(form, [task.raw() for task in tasks])
    else:
        _rows(tasks)


def write_page(form: Format, page: Page) -> None:
    """A page of a list; which page it is of how many goes to standard error where it is a table."""
    if form in (Format.JSON, Format.YAML):
        write_document(form, page.raw())
        return
    write_tasks(form, page.tasks)
    if form == Format.TABLE and page.total != len(page.tasks):
        on = f"; go on with --cursor {one_line(page.next_cursor)}" if page.next_cursor else ""
        typer.secho(f"page {page.page} of {page.pages}, {page.total} tasks in all{on}", dim=True, err=True)


def write_batch(form: Format, results: Sequence[BatchResult]) -> None:
    """What became of a batch; for people the ids, with each refusal on standard error."""
    if form in (Format.JSON, Format.YAML):
        write_document(form, [result.raw() for result in results])
        return
    write_names(result.task.task_id for result in results if result.task)
    for result in results:
        if result.task is None:
            why = one_line(str((result.error or {}).get("detail", "")))
            typer.secho(f"task {result.index} was refused with {result.status}: {why}", fg="red", err=True)


def write_usage(form: Format, usage: Usage) -> None:
    """What a project has used; for people one line for each group, and the total."""
    if form == Format.NAME:
        write_names(item.group for item in usage.items)
    elif form != Format.TABLE:
        write_document(form, usage.raw())
    else:
        rows = [(one_line(item.group), item) for item in usage.items] + [("total", usage.total)]
        width = max(len(name) for name in [usage.group_by, *(name for name, _ in rows)])
        typer.echo(f"{one_line(usage.group_by).upper():<{width}}  {'TASKS':>8}  {'GPU SECONDS':>14}  {'COST':>16}")
        for name, amount in rows:
            cost = " + ".join(f"{charge.amount:,.2f} {one_line(charge.currency)}" for charge in amount.costs)
            typer.echo(f"{name:<{width}}  {amount.tasks:>8}  {amount.gpu_seconds:>14,.1f}  {cost or '-':>16}")


def write_webhook(form: Format, webhook: Webhook) -> None:
    """A webhook; for people its state, and one line for each try."""
    if form == Format.NAME:
        write_names([webhook.task_id])
    elif form != Format.TABLE:
        write_document(form, webhook.raw())
    else:
        event = f" {one_line(webhook.event)}" if webhook.event else ""
        on = f", next try at {webhook.next_attempt_at:%Y-%m-%d %H:%M:%S %Z}" if webhook.next_attempt_at else ""
        typer.echo(f"{one_line(webhook.state)}:{event} to {one_line(webhook.receiver)}{on}")
        for tried in webhook.tries:
            outcome = " ".join(str(part) for part in (tried.status_code, tried.error) if part)
            typer.echo(f"{tried.number:>4}  {tried.at:%Y-%m-%d %H:%M:%S %Z}  {one_line(outcome)}")


def write_reviews(form: Format, held: HeldTasks) -> None:
    """Held tasks; links to their media in JSON and YAML alone."""
    if form == Format.NAME:
        write_names([task.task_id for task in held.reviews])
    elif form == Format.TABLE:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("TASK", "PROJECT", "TYPE", "HELD", "REASON", "MESSAGE"):
            table.add_column(column)
        now = datetime.now(UTC)
        for task in held.reviews:
            words = task.task_id, task.project_id, task.task_type, age(task.held_since, now), task.reason, task.message
            table.add_row(*(Text(one_line(word)) for word in words))
        stdout().print(table)
        if held.total > len(held.reviews):
            typer.secho(f"{held.total} in all", dim=True, err=True)
    else:
        write_document(form, held.raw())


def write_types(form: Format, types: Sequence[TaskType]) -> None:
    """The catalogue of task types."""
    if form == Format.NAME:
        write_names(entry.name for entry in types)
    elif form != Format.TABLE:
        write_document(form, [entry.raw() for entry in types])
    else:
        for entry in types:
            typer.echo(f"{one_line(entry.name):<18} {one_line(entry.summary)}")


def write_fields(form: Format, kind: TaskType) -> None:
    """The fields of one task type."""
    fields: dict[str, dict[str, Any]] = kind.json_schema.get("properties", {})
    if form == Format.NAME:
        write_names(fields)
    elif form != Format.TABLE:
        write_document(form, kind.raw())
    else:
        for name, field in fields.items():
            typer.echo(f"{one_line(name):<24} {one_line(str(field.get('description', '')))}")


def write_key(form: Format, made: dict[str, Any], hint: str) -> None:
    """A key with its secret; for people the secret alone, so that `$(mediatask keys create ...)` is one."""
    if form == Format.NAME:
        write_names([made["id"]])
    elif form != Format.TABLE:
        write_document(form, made)
    else:
        typer.echo(made["key"])
        typer.secho(one_line(hint), dim=True, err=True)


def write_keys(form: Format, found: Sequence[dict[str, Any]]) -> None:
    """Keys without their secrets."""
    if form == Format.NAME:
        write_names(key["id"] for key in found)
    elif form != Format.TABLE:
        write_document(form, list(found))
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("NAME", "ROLE", "PROJECTS", "EXPIRES", "LAST USED", "DESCRIPTION"):
            table.add_column(heading, overflow="fold")
        for key in found:
            grant = key["role"] or ",".join(key["scopes"])
            times = (key["expires_at"] or "never", key["last_used_at"] or "never")
            cells = (key["id"], grant, ",".join(key["projects"]), *times, key["description"])
            table.add_row(*(Text(one_line(cell)) for cell in cells))
        stdout().print(table)


def write_event(form: Format, event: Event, *, named: bool = False) -> None:
    """One event, one line; in YAML one document.

    Args:
        named: whether the line names the task.
    """
    if form == Format.JSON:
        typer.echo(safe_json(json.dumps(event.raw(), ensure_ascii=False)))
    elif form == Format.YAML:
        typer.echo("---")
        write_document(form, event.raw())
    elif form == Format.NAME:
        write_names([event.kind])
    else:
        how_far = "" if event.progress is None or event.line is not None else f"{event.progress:>4.0%}"
        what = event.line if event.line is not None else event.current_step or ""
        whose = f"{one_line(event.task_id)}  " if named else ""
        typer.echo(f"{one_line(event.kind):<10} {whose}{how_far:<5} {one_line(what)}".rstrip())


def write_received(form: Format, received: Received) -> None:
    """A webhook that came, one line; in YAML one document. What is not genuine goes to standard error."""
    event = received.event
    if event is None:
        typer.secho(f"refused: {one_line(received.reason or '')}", fg="red", err=True)
        return
    document = {"webhook_id": received.id, "status_code": received.status, "event": event}
    if form == Format.JSON:
        typer.echo(safe_json(json.dumps(document, ensure_ascii=False)))
    elif form == Format.YAML:
        typer.echo("---")
        write_document(form, document)
    elif form == Format.NAME:
        write_names([str(event.get("task_id"))])
    else:
        cells = (event.get("timestamp"), event.get("type"), event.get("task_id"), event.get("project_id"))
        typer.echo("  ".join(one_line(str(cell)) for cell in (*cells, received.status)))
        if received.reason:
            typer.secho(one_line(received.reason), fg="red", err=True)


def age(since: datetime | None, now: datetime) -> str:
    """Time since a moment in its largest unit, `3d`, as kubectl shows it."""
    if since is None:
        return ""
    seconds = max(0, int((now - (since if since.tzinfo else since.replace(tzinfo=UTC))).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def write_names(names: Iterable[str]) -> None:
    for name in names:
        typer.echo(one_line(name))


def write_document(form: Format, value: Any) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if form == Format.YAML:
        # PyYAML escapes C0 itself, and all that is not ASCII where it is told to.
        typer.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=is_safe(text)).rstrip())
    else:
        typer.echo(safe_json(text))


def _rows(tasks: Sequence[Task]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("ID", "TYPE", "STATUS", "PROGRESS", "ATTEMPT", "AGE", "TIME", "STEP"):
        table.add_column(heading, no_wrap=heading != "STEP", overflow="fold")
    now = datetime.now(UTC)
    for task in tasks:
        table.add_row(
            Text(one_line(task.task_id)),
            Text(one_line(task.task_type or "")),
            Text(task.status, style=COLOURS[task.status]),
            f"{task.progress:.0%}",
            str(task.attempt or ""),
            age(task.created_at, now),
            "" if task.seconds is None else f"{task.seconds:.1f} s",
            Text(step(task)),
        )
    stdout().print(table)


def _fields(task: Task) -> None:
    fields = task.raw()
    result = fields.pop("result", None) or {}
    metadata = result.pop("metadata", None) or {}
    # Their addresses are long and signed; the first one is media_url, programs read the rest from JSON.
    files = [f"{file['name']} ({file['bytes']:,} bytes)" for file in result.pop("artifacts", [])]
    shown = {**fields, **result, "files": ", ".join(files), **metadata}
    filled = {one_line(name): value for name, value in shown.items() if value not in (None, "", [], {})}
    width = max(map(len, filled))
    for name, value in filled.items():
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
        typer.echo(f"{name:<{width}}  {one_line(text)}")
