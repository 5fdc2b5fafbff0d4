"""Small files of the types that may be uploaded."""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Any


def png(size: int = 0) -> bytes:
    """A picture of 16 x 16 pixels, padded to so many bytes with a chunk that readers skip."""
    header = struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
    body = zlib.compress((b"\0" + bytes([90, 60, 30]) * 16) * 16)
    start = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
    end = _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
    missing = size - len(start) - len(end)
    return start + (_chunk(b"prVt", bytes(missing - 12)) if missing >= 12 else b"") + end


def announced(content: bytes, project: str = "film", **changes: Any) -> dict[str, Any]:
    """The request for an upload of this content."""
    return {
        "project_id": project,
        "filename": "picture.png",
        "content_type": "image/png",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        **changes,
    }


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
