"""Text from outside, made harmless for a terminal.

A job names its steps and writes its log: an escape sequence in them could move the cursor, rename the window or hide
what was printed before.
"""

from __future__ import annotations

import re

# C0 but tab and line feed, DEL and C1, marks that change the direction of text, line separators, lone surrogates.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def safe(text: str) -> str:
    r"""The text with each such character written out, as in `\x1b`; lines and tabs stay."""
    return _UNSAFE.sub(_written_out, text)


def one_line(text: str) -> str:
    """The same, all on one line."""
    return safe(text).replace("\n", "\\n").replace("\t", " ")


def safe_json(document: str) -> str:
    """A JSON document of the same meaning: such characters are only ever inside its strings."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def is_safe(text: str) -> bool:
    return _UNSAFE.search(text) is None


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
