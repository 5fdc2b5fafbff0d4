"""WATCH: a stream of watch events since a resource version, with bookmarks, timeouts and 410 Expired."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from ..errors import ApiError, expired, forbidden_field, invalid
from ..http.queries import boolean, whole_number
from ..objects import Object, encode
from ..registry.resources import Resource
from ..storage.store import Change, Collection, Entry, Store, Subscription
from .listing import Selection

# The real server picks a random timeout from this range (seconds) when the client sets none.
_TIMEOUT_RANGE = (1800.0, 3600.0)
_BOOKMARK_SECONDS = 60.0
Render = Callable[[Entry], bytes]


async def serve_watch(
    request: web.BaseRequest,
    store: Store,
    collection: Collection,
    resource: Resource,
    selects: Selection,
    render: Render,
) -> web.StreamResponse:
    """Serve a watch until its timeout, the client disconnects or the resource is no longer served."""
    query = request.query
    timeout = whole_number(query, "timeoutSeconds") or random.uniform(*_TIMEOUT_RANGE)
    bookmarks = boolean(query, "allowWatchBookmarks")
    subscription = Subscription()
    try:
        first = _first_events(store, collection, resource, query, selects, render, subscription, bookmarks)
    except ApiError as error:
        if error.code != 410:
            raise
        first, subscription.closed = [_line("ERROR", encode(error.status()))], True
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    end = time.monotonic() + timeout
    next_bookmark = time.monotonic() + _BOOKMARK_SECONDS
    collection.subscriptions.add(subscription)
    try:
        await response.prepare(request)
        lines = first
        while True:
            lines += _drain(subscription, selects, render)
            now = time.monotonic()
            if bookmarks and (now >= next_bookmark or now >= end) and not subscription.closed:
                lines.append(_bookmark(resource, store.revision))
                next_bookmark = now + _BOOKMARK_SECONDS
            if lines:
                await response.write(b"".join(lines))
                lines = []
            if subscription.closed or now >= end:
                return response
            if not subscription.pending:
                await _wait(subscription, min(end, next_bookmark if bookmarks else end) - time.monotonic())
    finally:
        collection.subscriptions.discard(subscription)


async def _wait(subscription: Subscription, seconds: float) -> None:
    subscription.wakeup.clear()
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await subscription.wakeup.wait()
    except TimeoutError:
        pass


def _first_events(
    store: Store,
    collection: Collection,
    resource: Resource,
    query: Mapping[str, str],
    selects: Selection,
    render: Render,
    subscription: Subscription,
    bookmarks: bool,
) -> list[bytes]:
    """The current state if requested; else nothing, and the changes since resourceVersion are queued.

    Raises:
        ApiError: 410 when the history does not go back that far, 422 or 500 for invalid parameters.
    """
    wanted = query.get("resourceVersion", "")
    if wanted and not wanted.isdigit():
        text = f'resourceVersion: Invalid value: "{wanted}": strconv.ParseUint: parsing "{wanted}": invalid syntax'
        raise ApiError(500, "", text)
    initial = boolean(query, "sendInitialEvents")
    if initial and query.get("resourceVersionMatch") != "NotOlderThan":
        detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        raise invalid("ListOptions", "meta.k8s.io", "", [forbidden_field("resourceVersionMatch", detail)])
    if initial or wanted in ("", "0"):
        lines = [
            _line("ADDED", render(collection.entries[key]))
            for key in collection.ordered_keys()
            if selects(key, collection.entries[key].object)
        ]
        if initial and bookmarks:
            lines.append(_bookmark(resource, store.revision, {"k8s.io/initial-events-end": "true"}))
        return lines
    since = int(wanted)
    if since < collection.known_since:
        raise expired(f"too old resource version: {since} ({collection.known_since})")
    subscription.pending.extend(change for change in collection.history if change.revision > since)
    return []


def _drain(subscription: Subscription, selects: Selection, render: Render) -> list[bytes]:
    lines = []
    while subscription.pending:
        change = subscription.pending.popleft()
        event_type = _event_type(change, selects)
        if event_type:
            lines.append(_line(event_type, render(change.entry)))
    return lines


def _event_type(change: Change, selects: Selection) -> str | None:
    """The event type for this watch: ADDED when an object starts to match its selectors, DELETED when it stops."""
    matches = selects(change.key, change.entry.object)
    if change.type != "MODIFIED" or change.previous is None:
        return change.type if matches else None
    matched = selects(change.key, change.previous.object)
    if matches:
        return "MODIFIED" if matched else "ADDED"
    return "DELETED" if matched else None


def _line(event_type: str, body: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (event_type.encode(), body)


def _bookmark(resource: Resource, revision: int, annotations: dict[str, str] | None = None) -> bytes:
    metadata: Object = {"resourceVersion": str(revision), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    body: dict[str, Any] = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    return _line("BOOKMARK", encode(body))
