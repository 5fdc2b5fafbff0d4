# Generated from `_async` by `make client`.
"""What happens to tasks: events, logs, and waiting for the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any

import httpx

from ..errors import APIError, MediaTaskError, Unavailable
from ..following import Following
from ..models import Task
from ..rest import calls
from ..rest.events import LONGEST_PAUSE, LONGEST_SILENCE, Event, Messages, Seen, Sign
from ..rest.failures import failure, refusal, unexpected, unreachable
from .connection import Connected


class Events(Connected):
    """Follows tasks."""

    def follow(self, task_ids: Iterable[str], *, timeout: float | None = None) -> Iterator[Task]:
        """Each task now and whenever it changes, until all have ended.

        They are followed by a stream of events, and by asking for their states where the service gives none.

        Raises:
            WaitTimeout: after `timeout` seconds.
        """
        following = Following(task_ids, timeout)
        while True:
            for task_id in following.unfinished:
                if following.learn(task_id, task := self._state(task_id)):
                    yield task
            lost: MediaTaskError | None = None
            if path := following.stream():
                try:
                    with closing(self._listen(path, silence=following.longest_silence)) as heard:
                        for sign in heard:
                            for task_id in following.to_ask(sign):
                                if following.learn(task_id, task := self._state(task_id)):
                                    yield task
                            if (changed := following.progress(sign)) is not None:
                                yield changed
                            if following.leave:
                                break
                except (APIError, Unavailable) as error:
                    lost = error
                following.lost(lost)
            if not following.unfinished:
                return
            time.sleep(following.pause())

    def _state(self, task_id: str) -> Task:
        return self._run(calls.status(task_id))

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

    def stream(
        self, task_id: str, *, include: Iterable[str] = (), last_id: str | None = None
    ) -> Generator[Event, None, None]:
        """A task's events as they happen: its present state, then each change once and in order, until it has ended.

        A connection that is lost is made again, and goes on after the last event.

        Args:
            include: `log` for the log's lines, `preview` for pictures while they are drawn.
            last_id: `Event.id` of the last event that an earlier stream has given.

        Raises:
            NotFound: no such task, or a service that is too old for events.
        """
        params = {"include": list(include)}
        with closing(self._events(calls.events_path(task_id), params, last_id)) as events:
            for event in events:
                yield event
                if event.ended:
                    return

    def stream_project(self, project_id: str, *, last_id: str | None = None) -> Generator[Event, None, None]:
        """Events of all tasks of a project: its unfinished tasks as they are, then each change once, without an end.

        Args:
            last_id: `Event.id` of an event that an earlier stream has given; lost connections are made again anyway.
        """
        seen = Seen()
        with closing(self._events(calls.project_events_path(project_id), {}, last_id)) as events:
            for event in events:
                if not seen.again(event):
                    yield event

    def _events(self, path: str, params: Mapping[str, Any], last_id: str | None) -> Generator[Event, None, None]:
        """Events over as many connections as it takes."""
        failures = 0
        while True:
            lost = Unavailable(f"the stream of {self.connection.url} ends again and again: try again in a while")
            try:
                with closing(self._listen(path, params, last_id)) as heard:
                    for sign in heard:
                        if sign is Sign.OVER:
                            return
                        if sign is not Sign.OPENED:
                            failures = 0
                        if isinstance(sign, Event):
                            last_id = sign.id or last_id
                            yield sign
            except Unavailable as error:
                lost = error
            failures += 1
            if failures > calls.TRIES:
                raise lost
            time.sleep(min(0.25 * failures, LONGEST_PAUSE))

    def _listen(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        last_id: str | None = None,
        *,
        silence: float = LONGEST_SILENCE,
    ) -> Generator[Event | Sign, None, None]:
        """What one connection tells, until it ends.

        Raises:
            Unavailable: it was lost, or cannot be made now.
            APIError: there is no such stream.
        """
        messages = Messages()
        try:
            with self._http.stream(
                "GET",
                self.connection.url + path,
                params=params,
                headers={"Last-Event-ID": last_id} if last_id else None,
                timeout=httpx.Timeout(10, read=silence),
                auth=self._credential,
                follow_redirects=False,
            ) as response:
                if not response.is_success:
                    response.read()
                    raise failure(self.connection.url, response)
                if response.status_code == 204:
                    yield Sign.OVER
                    return
                if not response.headers.get("content-type", "").startswith("text/event-stream"):
                    raise unexpected(response)
                yield Sign.OPENED
                for line in response.iter_lines():
                    try:
                        message = messages.take(line)
                    except ValueError as error:
                        raise unexpected(response) from error
                    if message is not None:
                        yield message
        except httpx.RequestError as error:
            raise unreachable(self.connection.url, error) from error

    def logs(self, task_id: str, *, attempt: int | None = None, follow: bool = False) -> Iterator[str]:
        """Lines of an attempt's log, the latest one's by default; with `follow`, as they come until it ends."""
        params = {"follow": "true"} if follow else {}
        if attempt is not None:
            params["attempt"] = str(attempt)
        timeout = httpx.Timeout(10, read=None if follow else 60)
        try:
            with self._http.stream(
                "GET",
                self.connection.url + calls.log_path(task_id),
                params=params,
                timeout=timeout,
                auth=self._credential,
                follow_redirects=False,
            ) as response:
                if not response.is_success:
                    response.read()
                    raise refusal(response)
                if "html" in response.headers.get("content-type", ""):
                    raise unexpected(response)
                yield from response.iter_lines()
        except httpx.RequestError as error:
            raise unreachable(self.connection.url, error) from error
