"""Letters by their looks: whatever reads as a Latin letter becomes it, and what is not seen goes. Pure."""

from __future__ import annotations

import unicodedata
from functools import cache

from confusable_homoglyphs import confusables

TAGS = range(0xE0020, 0xE007F)
"""Invisible copies of ASCII; some models read them all the same."""
_BOXED = [(0x1F130, 26), (0x1F150, 26), (0x1F170, 26), (0x1F1E6, 26)]
"""Squared, circled and regional letters, which have no decomposition."""
_TURNED = dict(zip("ɐɔǝɟƃɥᴉɾʞʃɯɹʇʌʍʎ", "acefghijklmrtvwy", strict=True))
_MORE = _TURNED | dict(zip("øđħłŧıþε", "odhltipe", strict=True)) | {"ß": "ss", "æ": "ae", "œ": "oe"}
_LEET = str.maketrans("013456789@$€£!|¡+i", "oleasgtbgaselllltl")
"""Digits and signs that stand for letters. `1`, `!` and `|` are i or l, so that i becomes l, in rules as in texts."""


class _Folding(dict[int, str]):
    """A table for `str.translate` that is made as characters come up."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _folded(chr(code))
        return folded


def fold(text: str) -> str:
    """Lower case, without accents and whatever is not seen, look-alikes as the Latin letters that they look like."""
    return text.translate(_FOLDING)


def leet(folded: str) -> str:
    """Folded text with digits and signs as the letters that they stand for."""
    return folded.translate(_LEET)


def _folded(char: str) -> str:
    if char.isascii():
        return char.lower() if char.isprintable() or char.isspace() else ""
    if char in _MORE:
        return _MORE[char]
    for first, count in _BOXED:
        if first <= ord(char) < first + count:
            return chr(ord("a") + ord(char) - first)
    if unicodedata.category(char) in ("Cf", "Cc", "Co", "Cn", "Mn", "Me"):
        return ""
    if char.isspace():
        return " "
    plain = unicodedata.normalize("NFKD", char)
    if plain != char:
        return "".join(map(_folded, plain))
    return _look_alikes().get(char) or _look_alikes().get(char.lower()) or char.lower()


@cache
def _look_alikes() -> dict[str, str]:
    """By character the ASCII letter that Unicode lists as looking the same."""
    found: dict[str, str] = {}
    for char, likes in confusables.confusables_data.items():
        if len(char) == 1 and not char.isascii():
            letters = [like["c"].lower() for like in likes if like["c"].isascii() and like["c"].isalnum()]
            if letters:
                found[char] = next((letter for letter in letters if letter.isalpha()), letters[0])
    return found


_FOLDING = _Folding()
