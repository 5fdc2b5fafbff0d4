"""What a pod is to make: its task's data, with what the Brain has added to it."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from mediatask_common.kube import Object
from mediatask_common.store import ArtifactStore, context_key

from ..http.errors import ApiError, store_away


async def data_of(store: ArtifactStore, task: Object) -> dict[str, Any]:
    """The data that every attempt of the task runs with.

    Raises:
        ApiError: 503 when the store is away, 500 for data that is not what the task's status speaks of.
    """
    own: dict[str, Any] = task["spec"].get("taskData") or {}
    context = (task.get("status") or {}).get("context") or {}
    if "key" not in context:
        return own
    try:
        content = await store.read(context_key(task["spec"]["projectId"], task["metadata"]["uid"]))
    except OSError as error:
        raise store_away(error) from error
    if hashlib.sha256(content).hexdigest() != context.get("sha256"):
        raise ApiError(500, "context-damaged", "The task's data in the store is not what its status speaks of.")
    with_additions: dict[str, Any] = orjson.loads(content)["data"]
    return with_additions
