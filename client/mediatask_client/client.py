"""The synchronous client. Generated from `async_client.py` by `make client`.

with Client() as client:
    task = client.submit("demo", "generate_image", {"prompt": "a lighthouse at dusk"})
    client.wait(task.task_id).raise_for_status()
    client.download(task.task_id, Path("lighthouse.jpg"))
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from . import calls, files, inputs
from .config import resolve
from .errors import Unavailable, WaitTimeout
from .events import LONGEST_PAUSE, LONGEST_SILENCE, Event, Messages
from .failures import failure, refusal, unexpected, unreachable
from .models import Artifact, BatchResult, Page, Submitted, Task, TaskType, Upload, Usage, Webhook
from .pace import Pace
from .transport import options

T = TypeVar("T")


class Client:
    """A connection to one service.

    Args:
        url, api_key: found by `config.resolve` when absent.
        folder: state folder of a local mode to connect to.

    Raises:
        NotConfigured: no address or no key.

    Every method raises a subclass of `APIError` when the service refuses, and `Unavailable` when it cannot be reached.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None, folder: Path | None = None) -> None:
        self.connection = resolve(url, api_key, folder)
        self._http = httpx.Client(**options(self.connection))
        # Media lies elsewhere and its address is signed: the API key must not travel there.
        self._media = httpx.Client(**options(self.connection, with_key=False))

    def close(self) -> None:
        self._http.close()
        self._media.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(
        self,
        /,
        project_id: str,
        task_type: str,
        task_data: Mapping[str, Any],
        *,
        priority: int | None = None,
        tags: Sequence[str] | None = None,
        not_before: datetime | str | None = None,
        callback_url: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        **extra: Any,
    ) -> Submitted:
        """Queue a task. Repeated after a lost connection, it is still one task.

        Args:
            task_data: a `Path` where a field takes a URL is uploaded; text is sent as it is.
            tags: words to find the task by.
            not_before: when it may start at the earliest, with a time zone; text is RFC 3339.
            idempotency_key: identifies this request; the same key gives the same task, from any process.
            extra: further fields of the request, as the service documents them.
        """
        paths = inputs.local_paths(task_data)
        uploads = {path: (self.upload(path, project_id)).reference for path in paths}
        call = calls.submit(
            project_id,
            task_type,
            inputs.with_references(task_data, uploads) if uploads else task_data,
            priority=priority,
            tags=tags,
            not_before=not_before,
            callback_url=callback_url,
            metadata=metadata,
            idempotency_key=idempotency_key,
            extra=extra,
        )
        return self._run(call)

    def batch(self, tasks: Sequence[Mapping[str, Any]], *, atomic: bool = False) -> Sequence[BatchResult]:
        """Queue 1 to 100 tasks; what became of each, in order.

        Args:
            tasks: bodies of submits: `project_id`, `task_type`, `task_data` and so on, and `idempotency_key`.
            atomic: all or none.

        Raises:
            InvalidRequest, AccessDenied: `atomic`, and one of them cannot be accepted.
        """
        return self._run(calls.batch(tasks, atomic=atomic))

    def usage(
        self, project_id: str, *, first: date | None = None, last: date | None = None, group_by: str = "day"
    ) -> Usage:
        """What a project has used, up to a year; the last 30 days where nothing is said.

        Args:
            group_by: day, task_type or class.
        """
        return self._run(calls.usage(project_id, first=first, last=last, group_by=group_by))

    def webhook(self, task_id: str) -> Webhook:
        """What became of a task's webhook, with its last tries."""
        return self._run(calls.webhook(task_id))

    def redeliver_webhook(self, task_id: str) -> Webhook:
        """Ask for a task's last webhook to be delivered anew.

        Raises:
            Conflict: none was sent yet.
        """
        return self._run(calls.redeliver(task_id))

    def upload(self, path: Path, project_id: str, *, on_progress: Callable[[int, int], None] | None = None) -> Upload:
        """Upload a picture, recording or film; its `reference` then stands where a task's data takes a URL.

        Args:
            on_progress: called with the bytes sent and those of the whole file.

        Raises:
            UsageError: the file cannot be read, or is of no type that tasks take.
        """
        file = inputs.examine(path)
        grant = self._run(calls.grant_upload(project_id, file.announcement))
        sent = 0

        def tell(size: int) -> None:
            if on_progress:
                on_progress(sent + size, file.bytes)

        for part in grant.parts:
            self._put(part.url, part.headers, path, sent, part.bytes, tell)
            sent += part.bytes
        if grant.url:
            self._put(grant.url, grant.headers, path, 0, file.bytes, tell)
        else:
            self._run(calls.complete_upload(project_id, grant.upload_id))
        return grant

    def _put(
        self, url: str, headers: Mapping[str, str], path: Path, start: int, size: int, tell: Callable[[int], None]
    ) -> None:
        """Send a file, or a part of it, to the store."""
        tries = 0
        while True:
            tries += 1
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = self._media.put(
                    url,
                    # A length of its own, or it would be sent in chunks, which S3 refuses.
                    headers={"Content-Length": str(size), **headers},
                    content=self._pieces(path, start, size, tell),
                    timeout=httpx.Timeout(120, connect=5),
                    follow_redirects=False,
                )
                # 412: it is there, from a try whose answer was lost. Nothing else can be sent to this URL.
                if outcome.is_success or outcome.status_code == 412:
                    return
            except httpx.RequestError as error:
                outcome = error
            pause = calls.put_delay(tries, outcome)
            if pause is None:
                raise failure(str(httpx.URL(url).join("/")), outcome)
            time.sleep(pause)

    def _pieces(self, path: Path, start: int, size: int, tell: Callable[[int], None]) -> Iterator[bytes]:
        sent = 0
        for piece in inputs.pieces(path, start, size):
            yield piece
            sent += len(piece)
            tell(sent)

    def get(self, task_id: str) -> Task:
        """A task's state."""
        return self._run(calls.status(task_id))

    def page(
        self,
        project_id: str,
        page: int = 1,
        limit: int = 20,
        *,
        status: str | None = None,
        task_type: str | None = None,
        tag: str | None = None,
        cursor: str | None = None,
    ) -> Page:
        """One page of a project's tasks, newest first; `limit` is 100 at most.

        Args:
            cursor: `next_cursor` of an earlier page, instead of a page's number: goes on just after it.
        """
        call = calls.page(
            project_id, page=page, limit=limit, status=status, task_type=task_type, tag=tag, cursor=cursor
        )
        return self._run(call)

    def list(
        self, project_id: str, *, status: str | None = None, task_type: str | None = None, tag: str | None = None
    ) -> Iterator[Task]:
        """All tasks of a project, newest first, fetched page by page; each once, also while new ones arrive."""
        cursor = None
        while True:
            found = self.page(project_id, limit=100, status=status, task_type=task_type, tag=tag, cursor=cursor)
            yield from found.tasks
            cursor = found.next_cursor
            if cursor is None:
                return

    def cancel(self, task_id: str) -> Task:
        """Stop a queued or running task; its state right after, which may still be `processing`.

        Raises:
            Conflict: it has ended already.
        """
        return self._run(calls.cancel(task_id)) or self.get(task_id)

    def retry(self, task_id: str) -> Task:
        """Another round of attempts for a failed or cancelled task, under the same id.

        Raises:
            Conflict: it is neither.
        """
        self._run(calls.retry(task_id))
        return self.get(task_id)

    def set_priority(self, task_id: str, priority: int) -> Task:
        """Give a queued task another priority; 0 is most urgent, 9 least.

        Raises:
            Conflict: it is not queued any more.
        """
        return self._run(calls.set_priority(task_id, priority))

    def follow(self, task_ids: Iterable[str], *, timeout: float | None = None) -> Iterator[Task]:
        """Each task now and whenever it changes, until all have ended.

        Raises:
            WaitTimeout: after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        last: dict[str, Task | None] = dict.fromkeys(task_ids)
        pace = Pace()
        while True:
            changed = False
            for task_id, before in last.items():
                if before and before.done:
                    continue
                task = self.get(task_id)
                if task != before:
                    changed, last[task_id] = True, task
                    yield task
            if all(task and task.done for task in last.values()):
                return
            pause = pace.after(changed=changed)
            if deadline is not None and time.monotonic() + pause > deadline:
                raise WaitTimeout(f"not finished after {timeout:g} s; the work continues, `mediatask watch` follows it")
            time.sleep(pause)

    def wait(
        self, task_id: str, *, timeout: float | None = None, on_change: Callable[[Task], None] | None = None
    ) -> Task:
        """The task once it has ended, however it ended (see `Task.raise_for_status`).

        Raises:
            WaitTimeout: after `timeout` seconds.
        """
        for task in self.follow([task_id], timeout=timeout):
            if on_change:
                on_change(task)
        return task

    def stream(self, task_id: str, *, include: Iterable[str] = (), last_id: str | None = None) -> Iterator[Event]:
        """A task's events as they happen: its present state, then each change once and in order, until it has ended.

        A connection that is lost is made again, and goes on after the last event.

        Args:
            include: `log` for the log's lines, `preview` for pictures while they are drawn.
            last_id: `Event.id` of the last event that an earlier stream has given.

        Raises:
            NotFound: no such task, or a service that is too old for events.
        """
        timeout = httpx.Timeout(10, read=LONGEST_SILENCE)
        params = {"include": list(include)}
        failures = 0
        while True:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            messages = Messages()
            outcome: httpx.Response | httpx.RequestError
            try:
                with self._http.stream(
                    "GET", calls.events_path(task_id), params=params, headers=headers, timeout=timeout
                ) as response:
                    outcome = response
                    if response.status_code == 204:
                        return
                    if not response.is_success:
                        response.read()
                        if response.status_code not in (429, 502, 503, 504):
                            raise refusal(response)
                    elif not response.headers.get("content-type", "").startswith("text/event-stream"):
                        raise unexpected(response)
                    else:
                        for line in response.iter_lines():
                            if (event := messages.take(line)) is not None:
                                last_id, failures = event.id or last_id, 0
                                yield event
                                if event.ended:
                                    return
            except httpx.RequestError as error:
                outcome = error
            failures += 1
            if failures > calls.TRIES:
                raise failure(self.connection.url, outcome)
            time.sleep(min(0.25 * failures, LONGEST_PAUSE))

    def logs(self, task_id: str, *, attempt: int | None = None, follow: bool = False) -> Iterator[str]:
        """Lines of an attempt's log, the latest one's by default; with `follow`, as they come until it ends."""
        params = {"follow": "true"} if follow else {}
        if attempt is not None:
            params["attempt"] = str(attempt)
        timeout = httpx.Timeout(10, read=None if follow else 60)
        try:
            with self._http.stream("GET", calls.log_path(task_id), params=params, timeout=timeout) as response:
                if not response.is_success:
                    response.read()
                    raise refusal(response)
                if "html" in response.headers.get("content-type", ""):
                    raise unexpected(response)
                yield from response.iter_lines()
        except httpx.RequestError as error:
            raise unreachable(self.connection.url, error) from error

    def download(self, task_id: str, to: Path) -> Path:
        """Write a completed task's media to a file, or into a folder; the path written is returned.

        Raises:
            NotCompleted, TaskFailed: there is none.
        """
        (artifact, *_) = self.get(task_id).artifacts()
        return self.fetch(artifact, files.target(to, task_id, artifact))

    def fetch(self, artifact: Artifact, path: Path) -> Path:
        """Write one of a task's files (`Task.artifacts`); it appears once it is complete and its checksum is right."""
        try:
            with self._media.stream("GET", artifact.url) as response:
                if not response.is_success:
                    response.read()
                    raise refusal(response)
                with files.complete(path, artifact) as out:
                    for chunk in response.iter_bytes():
                        out.write(chunk)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise Unavailable(f"the download of {artifact.name} was interrupted ({error}): try again") from error
        return path

    def task_types(self) -> Sequence[TaskType]:
        """The catalogue of task types."""
        return self._run(calls.task_types())

    def task_type(self, name: str) -> TaskType:
        """One task type with its JSON Schema, defaults and classes."""
        return self._run(calls.task_type(name))

    def _run(self, call: calls.Call[T]) -> T:
        tries = 0
        while True:
            tries += 1
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = self._http.request(
                    call.method, call.path, params=call.params, content=call.body, headers=call.headers
                )
                if outcome.is_success:
                    return call.read(outcome)
            except httpx.RequestError as error:
                outcome = error
            pause = calls.delay(call, tries, outcome)
            if pause is None:
                raise failure(self.connection.url, outcome)
            time.sleep(pause)
