"""Media types of inputs, told by how their files begin. Pure."""

from __future__ import annotations

from typing import Literal, get_args

InputType = Literal[
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/bmp",
    "audio/wav",
    "audio/mpeg",
    "audio/ogg",
    "audio/flac",
    "audio/mp4",
    "video/mp4",
    "video/quicktime",
    "video/webm",
]
"""What may be uploaded: pictures, recordings and films, and nothing that a browser would run."""

HEAD_BYTES = 64
"""So much of a file tells its type."""

_MAGIC: tuple[tuple[bytes, InputType], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
)
_RIFF: dict[bytes, InputType] = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_BITMAP_HEADERS = (12, 40, 52, 56, 64, 108, 124)


def input_types(head: bytes) -> tuple[InputType, ...]:
    """The types that a file with these first bytes may be, the likeliest first; none where it is none of ours."""
    if head[:4] == b"RIFF":
        kind = _RIFF.get(head[8:12])
        return (kind,) if kind else ()
    if head[4:8] == b"ftyp":
        return _of_brand(head[8:12])
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS:
        return ("image/bmp",)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return (kind,)
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:  # an MPEG frame of layer 3
        return ("audio/mpeg",)
    return ()


def _of_brand(brand: bytes) -> tuple[InputType, ...]:
    """Types of an ISO media file. Each of the three is possible; the brand tells the likeliest."""
    if brand[:3] == b"M4A":
        return ("audio/mp4", "video/mp4", "video/quicktime")
    if brand == b"qt  ":
        return ("video/quicktime", "video/mp4", "audio/mp4")
    return ("video/mp4", "audio/mp4", "video/quicktime")


INPUT_TYPES: tuple[InputType, ...] = get_args(InputType)
