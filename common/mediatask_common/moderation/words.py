"""Finding words that are spelled with gaps, signs or too many letters. Pure, and linear in the text.

A text's letters are strung together, with the places where its words begin and end. A rule's word is looked for in the
string; what it runs across tells whether somebody has split it, or whether it is only there by chance: `the rapist`
and `will be heading north` are, `g o r e` and `be-heading` are not.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise

from .letters import fold, leet

_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"(?<![^\W_])\d{2,}(?![^\W_])")
_AFTER_A_WORD = re.compile(r"(?<=[^\W_])[!|¡+?]+(?![^\s!|¡+?])")
_MASKED = re.compile(r"(?<![^\W_])[^\W_]+(?:[*#•]+[^\W_]+)+")
_LONG_RUN = re.compile(r"([^\W_])\1{2,}")
_SIGNS = "*#•"
_MOST_MASKED, _LEAST_MASKED, _LONGEST_MASKED = 64, 4, 64
"""Masked words that are looked at in a text, and how many letters they have."""
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
    def parts(self) -> list[str]:
        """Its own words."""
        places = [0, *sorted(self.breaks), len(self.letters)]
        return [self.letters[start:end] for start, end in pairwise(places)]

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
    texts = [folded]
    if _LONG_RUN.search(folded):
        texts += [_LONG_RUN.sub(r"\1", folded), _LONG_RUN.sub(r"\1\1", folded)]
    for text in texts:
        yield Spelling(text), False
        words = _NUMBER.sub(" ", text)
        for spelled in dict.fromkeys((leet(words), leet(_AFTER_A_WORD.sub(" ", words)))):
            yield Spelling(spelled), True


def unmasked(folded: str, words: Iterable[Word]) -> Iterator[tuple[str, Word]]:
    """The text with what fits in the place of a masked word such as `m*rder`, and the rule's word that it is of."""
    masks = [match[0] for match in islice(_MASKED.finditer(folded), _MOST_MASKED)]
    for mask in dict.fromkeys(masks):
        if sum(char.isalnum() for char in mask) * 2 < len(mask) or len(mask) > _LONGEST_MASKED:
            continue
        for word in words:
            for part in word.parts:
                longer = word.open_end and part is word.parts[-1]
                if _fits(mask, part, longer=longer):
                    yield folded.replace(mask, part + mask[len(part) :]), word


def _fits(mask: str, part: str, *, longer: bool) -> bool:
    if len(part) < _LEAST_MASKED or len(mask) < len(part) or (len(mask) > len(part) and not longer):
        return False
    return all(sign in _SIGNS or sign == letter for sign, letter in zip(mask, part, strict=False))


def _occurrences(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)
