"""Tasks as resources: their state, their media, and what is to be seen of it while it is drawn.

Small media is in the answer; of larger there is a link, signed as REST signs it.
"""

from __future__ import annotations

import base64
import re

from mcp_types import (
    BlobResourceContents,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ReadResourceResult,
    ResourceTemplate,
    TextResourceContents,
)

from mediatask_common.kube import Object

from ..auth.access import check_scope
from ..http.errors import ApiError, store_away
from ..tasks.refusals import no_media
from .call import Call

MOST_BYTES = 512 * 1024
"""Of media in an answer; clients read messages of a MiB, and text of it is longer by a third."""
PREVIEW_SECONDS = 10.0
"""How long a read waits for a preview: jobs send them only while somebody looks."""

_URI = re.compile(r"mediatask://tasks/([^/]{1,253})(?:/(media|preview))?")
_TEMPLATES = [
    ResourceTemplate(
        uri_template="mediatask://tasks/{task_id}",
        name="task",
        description="The state of a task.",
        mime_type="application/json",
    ),
    ResourceTemplate(
        uri_template="mediatask://tasks/{task_id}/media",
        name="media",
        description=f"The media of a completed task; beyond {MOST_BYTES // 1024} KiB a link to it (text/uri-list).",
    ),
    ResourceTemplate(
        uri_template="mediatask://tasks/{task_id}/preview",
        name="preview",
        description="A small picture of what a running task is drawing.",
        mime_type="image/jpeg",
    ),
]


def listed() -> ListResourcesResult:
    """None: tasks are found by the tool `list_tasks`."""
    return ListResourcesResult(resources=[])


def templates() -> ListResourceTemplatesResult:
    return ListResourceTemplatesResult(resource_templates=_TEMPLATES)


async def read(call: Call, uri: str) -> ReadResourceResult:
    """A resource. Raises ApiError."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise ApiError(404, "resource-not-found", f"There is no resource {uri[:300]!r}.")
    task_id, part = found.groups()
    if part is None:
        check_scope(call.caller, "tasks:read")
        task = await call.services.tasks.status(call.caller, task_id)
        return _result(TextResourceContents(uri=uri, mime_type="application/json", text=task.model_dump_json()))
    if part == "media":
        check_scope(call.caller, "media:read")
        return _result(await _media(call, uri, task_id))
    check_scope(call.caller, "tasks:read")
    return _result(await _preview(call, uri, task_id))


async def _media(call: Call, uri: str, task_id: str) -> TextResourceContents | BlobResourceContents:
    services = call.services
    url = await services.tasks.media_url(call.caller, task_id)  # refuses whatever has none
    artifact = _first_artifact(await services.tasks.find(call.caller, task_id))
    if artifact["bytes"] > MOST_BYTES:
        return TextResourceContents(uri=uri, mime_type="text/uri-list", text=f"{url}\r\n")
    try:
        content = await services.store.read(artifact["key"], limit=MOST_BYTES)
    except FileNotFoundError:
        raise no_media() from None
    except OSError as error:
        raise store_away(error) from error
    return BlobResourceContents(uri=uri, mime_type=artifact["contentType"], blob=base64.b64encode(content).decode())


async def _preview(call: Call, uri: str, task_id: str) -> BlobResourceContents:
    services = call.services
    hub = services.events.feeds.hub
    with services.caps.streams.hold(call.caller.id):
        await services.events.feeds.ready()
        task = await services.tasks.find(call.caller, task_id)
        with hub.subscribe(task["spec"]["projectId"], task_id, previews=True) as subscription:
            image = await call.first(subscription, "preview", PREVIEW_SECONDS)
    if image is None:
        raise ApiError(404, "no-preview", "There is no preview now: the task is not drawing, or sends none.")
    return BlobResourceContents(uri=uri, mime_type=image["content_type"], blob=image["image"])


def _first_artifact(task: Object) -> Object:
    artifact: Object = task["status"]["result"]["artifacts"][0]
    return artifact


def _result(contents: TextResourceContents | BlobResourceContents) -> ReadResourceResult:
    return ReadResourceResult(contents=[contents])
