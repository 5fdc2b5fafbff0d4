"""Small files that unpack to huge ones, or claim to."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

GIB = 1024**3


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _zeros(size: int) -> bytes:
    """Deflated zeros, a thousandth of their size."""
    pack = zlib.compressobj(9)
    block = bytes(1024**2)
    return b"".join(pack.compress(block) for _ in range(size // len(block))) + pack.flush()


def _png(width: int, height: int, extra: bytes = b"", data: bytes = b"") -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = data or zlib.compress((b"\0" + bytes(3 * 16)) * 16)
    return b"\x89PNG\r\n\x1a\n" + header + extra + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _text(size: int) -> bytes:
    return _chunk(b"zTXt", b"Comment\0\0" + _zeros(size))


def _jpeg(width: int, height: int) -> bytes:
    """A tiny JPEG that says it is larger."""
    body = io.BytesIO()
    Image.new("L", (16, 16)).save(body, "JPEG")
    content = body.getvalue()
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


def _many_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG in which one scan over all blocks comes again and again."""
    body = io.BytesIO()
    Image.new("L", (side, side), 128).save(body, "JPEG", progressive=True)
    content = body.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * scans + content[-2:]


def _box(kind: bytes, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack(">I", 8 + len(data)) + kind + data


def _compressed_movie(size: int) -> bytes:
    """QuickTime's compressed header."""
    header = _box(b"cmov", _box(b"dcom", b"zlib"), _box(b"cmvd", struct.pack(">I", size), _zeros(size)))
    return _box(b"ftyp", b"M4A \0\0\0\0M4A ") + _box(b"moov", header)


def _wav(channels: int, rate: int) -> bytes:
    form = struct.pack("<HHIIHH", 1, channels, rate, rate, 65535, 32)
    data = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", 0xFFFFFFF0) + bytes(64)
    return b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + data


PICTURES: dict[str, Callable[[], bytes]] = {
    "png, 30,000 x 30,000": lambda: _png(30_000, 30_000, data=_zeros(2 * GIB)),
    "png, 2^31-1 wide": lambda: _png(2**31 - 1, 8),
    "png, text of 1 GiB": lambda: _png(16, 16, _text(GIB)),
    "png, 200 texts of 1 MiB": lambda: _png(16, 16, _text(1024**2) * 200),
    "gif, 65,535 x 65,535": lambda: (
        b"GIF89a"
        + struct.pack("<HH", 65535, 65535)
        + b"\x80\0\0\0\0\0\xff\xff\xff,"
        + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0)
        + b"\x02\x02L\x01\0;"
    ),
    "webp, 16,383 x 16,383": lambda: (
        b"RIFF"
        + struct.pack("<I", 30)
        + b"WEBPVP8L"
        + struct.pack("<I", 18)
        + b"\x2f"
        + struct.pack("<I", 16382 | 16382 << 14)
        + bytes(13)
    ),
    "bmp, 30,000 x 30,000, run lengths": lambda: (
        b"BM"
        + struct.pack("<IHHI", 100, 0, 0, 58)
        + struct.pack("<IiiHHIIiiII", 40, 30_000, 30_000, 1, 8, 1, 42, 0, 0, 1, 0)
        + bytes(4)
        + b"\xff\0" * 20
        + b"\0\1"
    ),
    "jpeg, 65,500 x 65,500": lambda: _jpeg(65_500, 65_500),
    "jpeg, 20,000 scans of 16 megapixels": lambda: _many_scans(4_000, 20_000),
}
RECORDINGS: dict[str, Callable[[], bytes]] = {
    "m4a, header of 2 GiB": lambda: _compressed_movie(2 * GIB - 1024**2),
    "mp3, tag of 256 MiB": lambda: b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(1000),
    "wav, 65,535 channels": lambda: _wav(65535, 2**31 - 1),
}
