"""Idempotent submits: the key names the task, so the API server's uniqueness of names is the lock. Pure."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import orjson

from mediatask_common.kube import Object
from mediatask_crds.names import ANNOTATION_IDEMPOTENCY_ANSWER, ANNOTATION_IDEMPOTENCY_BODY

from ...http.errors import ApiError, invalid_field

HEADER = "Idempotency-Key"
MAX_LENGTH = 255
_SPACE = uuid.UUID("3b0d8f0c-3d3a-5f0f-8f5b-6c1f2f6f9b11")


def check_key(key: str) -> str:
    """The key, where it is one. Raises ApiError (400)."""
    if not 1 <= len(key) <= MAX_LENGTH or not key.isprintable():
        raise invalid_field(["header", HEADER], f"1 to {MAX_LENGTH} printable characters are expected")
    return key


def task_name(project: str, key: str | None) -> str:
    """Name of a new task: by project and key, else random. A project id holds no slash, so no two pairs meet."""
    return str(uuid.uuid5(_SPACE, f"{project}/{key}") if key else uuid.uuid4())


def body_digest(body: dict[str, Any]) -> str:
    """Digest of a request, whatever the order of its fields and its white space."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def task_annotations(digest: str, answer: bytes) -> dict[str, str]:
    """What is kept with the task: the digest of its request and the first answer."""
    return {ANNOTATION_IDEMPOTENCY_BODY: digest, ANNOTATION_IDEMPOTENCY_ANSWER: answer.decode()}


def key_reused() -> ApiError:
    """422."""
    detail = f"This {HEADER} was used for another request; use a new key for a new request."
    return ApiError(422, "idempotency-key-reused", detail)


def replay(task: Object, digest: str) -> bytes:
    """The first answer, byte for byte.

    Raises:
        ApiError: 422 when the key was used with another body.
    """
    kept = task["metadata"].get("annotations") or {}
    if kept.get(ANNOTATION_IDEMPOTENCY_BODY) != digest or ANNOTATION_IDEMPOTENCY_ANSWER not in kept:
        raise key_reused()
    answer: str = kept[ANNOTATION_IDEMPOTENCY_ANSWER]
    return answer.encode()
