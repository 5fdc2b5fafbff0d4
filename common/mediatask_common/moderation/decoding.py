"""What else a text may say: percent signs, entities, escapes, base64 and the like, where decoding gives text. Pure."""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

from .letters import TAGS

MOST_READINGS = 48
DEPTH = 3
"""Encodings within encodings."""
_GROWTH = 2
"""All readings together are at most this many times as long as the text, so that reading stays linear."""

_ESCAPE = re.compile(r"\\u\{?([0-9a-fA-F]{4,6})\}?|\\x([0-9a-fA-F]{2})|[uU]\+([0-9a-fA-F]{4,6})\s?")
_WORD64 = re.compile(r"[A-Za-z0-9+/_-]{6,}={0,2}")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]{2}(?:[\s:,-]{0,2}(?:0x|\\x)?[0-9a-fA-F]{2}){2,}")
_BITS = re.compile(r"[01]{8}(?:\s?[01]{8}){2,}")
_TAGGED = re.compile(f"[{chr(TAGS.start)}-{chr(TAGS.stop - 1)}]+")


def readings(text: str) -> Iterator[str]:
    """The text, and the texts that are found in it by decoding, up to `DEPTH` times over."""
    yield text
    room, seen, waiting = _GROWTH * len(text) + 256, {text}, [(text, 0)]
    while waiting:
        current, depth = waiting.pop(0)
        for found in _decoded(current):
            if found in seen:
                continue
            room -= len(found)
            if room < 0 or len(seen) == MOST_READINGS:
                return
            seen.add(found)
            yield found
            if depth + 1 < DEPTH:
                waiting.append((found, depth + 1))


def rotated(text: str) -> str:
    """The text by ROT13."""
    return codecs.encode(text, "rot_13")


def _decoded(text: str) -> Iterator[str]:
    if "%" in text:
        yield unquote(text, errors="ignore")
    if "&" in text:
        yield html.unescape(text)
    if "\\" in text or "+" in text:
        yield _ESCAPE.sub(_escaped, text)
    if _TAGGED.search(text):
        yield _TAGGED.sub(lambda tags: "".join(chr(ord(char) - 0xE0000) for char in tags[0]), text)
    found = [*_each(_WORD64, text, _base64), *_each(_HEX, text, _hex), *_each(_BITS, text, _bits)]
    if found:
        yield " ".join(found)


def _each(pattern: re.Pattern[str], text: str, decode: object) -> Iterator[str]:
    assert callable(decode)
    for match in pattern.finditer(text):
        for content in decode(match[0]):
            plain = _text(content)
            if plain is not None:
                yield plain


def _text(content: bytes) -> str | None:
    """The bytes as text; None where they are none, as those of nearly every word are not."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    letters = sum(char.isalnum() or char.isspace() for char in text)
    return text if len(text) >= 3 and letters >= 0.7 * len(text) else None


def _escaped(match: re.Match[str]) -> str:
    code = int(match[1] or match[2] or match[3], 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else ""


def _base64(word: str) -> Iterator[bytes]:
    bare = word.rstrip("=").translate(str.maketrans("-_", "+/"))
    for decode, padding in ((base64.b64decode, 4), (base64.b32decode, 8)):
        with_end = bare + "=" * (-len(bare) % padding)
        try:
            yield decode(with_end)
        except (binascii.Error, ValueError):
            continue


def _hex(digits: str) -> Iterator[bytes]:
    bare = re.sub(r"0x|[^0-9a-fA-F]", "", digits)
    if len(bare) % 2 == 0:
        yield bytes.fromhex(bare)


def _bits(digits: str) -> Iterator[bytes]:
    bare = "".join(digits.split())
    yield bytes(int(bare[start : start + 8], 2) for start in range(0, len(bare), 8))
