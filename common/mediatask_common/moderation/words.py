"""Finding words that are spelled with gaps, signs or too many letters. Pure, and linear in the text.

A text's letters are strung together, with the places where its words begin and end. A rule's word is looked for in the
string; what it runs across tells whether somebody has split it, or whether it is only there by chance: `the rapist`
and `will be heading north` are, `g o r e` and `be-heading` are not.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from .letters import fold, leet

_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"(?<![^\W_])\d{2,}(?![^\W_])")
_AFTER_A_WORD = re.compile(r"(?<=[^\W_])[!|¡+?]+(?![^\s!|¡+?])")
_MASKED = re.compile(r"(?<![^\W_])[^\W_]+(?:[*#•]+[^\W_]+)+")
_LONG_RUN = re.compile(r"([^\W\d_])\1{2,}")
_MOST_MASKED = 64
_LONG = 6
"""Letters of a word that is found although it is split in two by a space."""
_SMALL = frozenset({
    "a", "am", "an", "and", "are", "as", "at", "be", "but", "by", "can", "do", "did", "for", "from", "go", "had", "has",
    "he", "her", "him", "his", "i", "if", "in", "is", "it", "its", "me", "my", "no", "not", "of", "on", "or", "our",
    "out", "she", "so", "the", "them", "then", "to", "up", "us", "was", "we", "were", "who", "will", "with", "you",
})  # fmt: skip
"""Words that stand beside others so often that together they spell something by chance."""


@dataclass(frozen=True)
class Word:
    """A word or phrase of a rule; `*` at an end: longer words count, too."""

    letters: str
    """Folded, without what is between its words."""
    breaks: frozenset[int]
    """Where its own words begin."""
    open_start: bool
    open_end: bool

    @classmethod
    def parse(cls, text: str) -> Word:
        """Raises ValueError for fewer than three letters: it would be found everywhere."""
        parts = _WORD.findall(fold(text))
        letters = "".join(parts)
        if len(letters) < 3:
            raise ValueError("a word needs three letters at least")
        places, at = set(), 0
        for part in parts[:-1]:
            at += len(part)
            places.add(at)
        return cls(letters, frozenset(places), text.strip().startswith("*"), text.strip().endswith("*"))

    @cached_property
    def as_leet(self) -> str:
        return leet(self.letters)


class Spelling:
    """A folded text, ready to be searched."""

    def __init__(self, text: str) -> None:
        self._text = text
        matches = list(_WORD.finditer(text))
        self._letters = "".join(match[0] for match in matches)
        self._starts: list[int] = []
        at, end = 0, 0
        self._spaced: set[int] = set()
        """Places before which there is a space, among the places where words begin."""
        for match in matches:
            if at and any(char.isspace() for char in text[end : match.start()]):
                self._spaced.add(at)
            self._starts.append(at)
            at, end = at + len(match[0]), match.end()
        self._places = {*self._starts, at}

    def has(self, word: Word, letters: str) -> bool:
        """Whether it has the word, by these letters of it."""
        return any(
            (word.open_start or start in self._places)
            and (word.open_end or start + len(letters) in self._places)
            and self._meant(word, start, len(letters))
            for start in _occurrences(self._letters, letters)
        )

    def _meant(self, word: Word, start: int, length: int) -> bool:
        """Whether the places that the occurrence runs across are its own, or such as somebody makes on purpose."""
        first, last = bisect_right(self._starts, start), bisect_left(self._starts, start + length)
        gaps = [place for place in self._starts[first:last] if place - start not in word.breaks]
        if not gaps:
            return True
        around = [start, *gaps, start + length]
        parts = [self._letters[begin:end] for begin, end in pairwise(around)]
        if all(len(part) <= 2 for part in parts) and len(parts) > 2:
            return True
        if not any(place in self._spaced for place in gaps):
            return True
        return length >= _LONG and not any(part in _SMALL for part in parts)


def spellings(folded: str) -> Iterator[tuple[Spelling, bool]]:
    """The ways to read a folded text, each with whether it is in leet letters."""
    plain = Spelling(folded)
    yield plain, False
    for text in dict.fromkeys((leet(_NUMBER.sub(" ", folded)), leet(_AFTER_A_WORD.sub(" ", _NUMBER.sub(" ", folded))))):
        yield Spelling(text), True
        if _LONG_RUN.search(text):
            yield Spelling(_LONG_RUN.sub(r"\1", text)), True
            yield Spelling(_LONG_RUN.sub(r"\1\1", text)), True


def masked(folded: str) -> list[re.Pattern[str]]:
    """Patterns of words in which signs stand for letters: `m*rder`."""
    found = []
    for match in list(_MASKED.finditer(folded))[:_MOST_MASKED]:
        if len(match[0]) <= 64 and sum(char.isalnum() for char in match[0]) >= len(match[0]) / 2:
            found.append(re.compile("".join("." if char in "*#•" else re.escape(char) for char in match[0])))
    return found


def _occurrences(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)
