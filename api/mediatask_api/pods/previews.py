"""Previews that jobs send: small JPEGs, looked at before anybody gets to see them. Pure."""

from __future__ import annotations

import base64
import binascii

from mediatask_common.kube import Object
from mediatask_crds.podcontract import PREVIEW_BYTES, PREVIEW_SIDE

INTERVAL_SECONDS = 0.9
"""Least time between two previews of one pod; others are dropped."""

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_FRAMES = (0xC0, 0xC2)
# JFIF, tables, restart interval. Neither comments nor other application data: nothing hides in a preview.
_ALLOWED = frozenset((0xE0, 0xDB, 0xC4, 0xDD, _SCAN, *_FRAMES))
_RESTARTS = range(0xD0, 0xD8)


def previews_allowed(task: Object) -> bool:
    """Whether anybody may see the task's media before it is finished: not where it may be held."""
    state = (task.get("status") or {}).get("moderation") or {}
    return state.get("previews") is not False and state.get("decision") != "hold"


def checked(image: str) -> str:
    """A preview in base64 that is a plain JPEG of small size and nothing else. Raises ValueError."""
    try:
        content = base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None
    if len(content) > PREVIEW_BYTES:
        raise ValueError(f"more than {PREVIEW_BYTES} bytes")
    _check_jpeg(content)
    return image


def _check_jpeg(content: bytes) -> None:
    if content[:2] != bytes((0xFF, _START)):
        raise ValueError("not a JPEG")
    at, framed, scanned = 2, False, False
    while True:
        if at + 2 > len(content) or content[at] != 0xFF:
            raise ValueError("not a whole JPEG")
        marker = content[at + 1]
        if marker == _END:
            if at + 2 != len(content) or not (framed and scanned):
                raise ValueError("a JPEG that does not end with its picture")
            return
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        if marker not in _ALLOWED or length < 2 or at + 2 + length > len(content):
            raise ValueError("a JPEG with parts that a preview does not have")
        segment = content[at + 4 : at + 2 + length]
        if marker == 0xE0 and (not segment.startswith(b"JFIF\0") or length > 16):
            raise ValueError("a JPEG with application data")
        if marker in _FRAMES:
            height, width = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
            if framed or not (0 < width <= PREVIEW_SIDE and 0 < height <= PREVIEW_SIDE):
                raise ValueError(f"larger than {PREVIEW_SIDE} pixels a side")
            framed = True
        at += 2 + length
        if marker == _SCAN:
            if not framed:
                raise ValueError("a scan without a frame")
            scanned, at = True, _end_of_scan(content, at)


def _end_of_scan(content: bytes, at: int) -> int:
    """Where the next marker stands after coded data."""
    while (at := content.find(b"\xff", at)) >= 0 and at + 1 < len(content):
        if content[at + 1] != 0 and content[at + 1] not in _RESTARTS:
            return at
        at += 2
    raise ValueError("not a whole JPEG")
