"""`builtin-text`: a text generator without weights, for trying templates and plumbing.

It quotes the most telling sentences of the prompt and continues with a bigram chain over the prompt's own words.
It understands nothing, and its name in every result says what it is.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from itertools import pairwise

from .model import Completion, tokens

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_COMMON = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "he", "her", "his", "in", "is", "it", "its",
    "of", "on", "or", "she", "that", "the", "their", "they", "this", "to", "was", "were", "what", "when", "where",
    "which", "who", "will", "with", "you", "your",
})  # fmt: skip
_QUOTED = 2
_CONTINUED_WORDS = 24


class BuiltinText:
    """See the module."""

    name = "builtin-text"
    revision: str | None = "1"
    device = "cpu"
    dtype: str | None = None

    def complete(self, prompt: str, seed: int, max_tokens: int) -> Completion:
        """Quotes first, then the chain; nothing at all for a prompt without words."""
        words = tokens(prompt)
        sentences = [sentence.strip() for sentence in _SENTENCE.split(prompt) if sentence.strip()]
        weight = Counter(word.lower() for word in words if word.isalnum() and word.lower() not in _COMMON)
        quoted = sorted(sentences, key=lambda sentence: -_mean_weight(sentence, weight))[:_QUOTED]
        parts = [sentence if sentence[-1] in ".!?" else f"{sentence}." for sentence in quoted]
        chain = _chain(words, random.Random(seed))
        if chain:
            parts.append(f"{' '.join(chain).capitalize()}.")
        kept = _cut(" ".join(parts), max_tokens)
        return Completion(kept, len(words), len(tokens(kept)))


def _mean_weight(sentence: str, weight: Counter[str]) -> float:
    words = tokens(sentence)
    return sum(weight[word.lower()] for word in words) / len(words) if words else 0.0


def _chain(words: list[str], dice: random.Random) -> list[str]:
    """A walk along pairs of neighbouring words; where a word has no successor it starts anew."""
    plain = [word for word in words if word[0].isalnum()]
    following: dict[str, list[str]] = defaultdict(list)
    for first, second in pairwise(plain):
        following[first.lower()].append(second)
    if not following:
        return []
    walk = [dice.choice(plain)]
    while len(walk) < _CONTINUED_WORDS:
        walk.append(dice.choice(following.get(walk[-1].lower()) or plain))
    return walk


def _cut(text: str, max_tokens: int) -> str:
    """The text up to its `max_tokens`-th token."""
    ends = [match.end() for match in re.finditer(r"\w+|[^\w\s]", text)]
    return text if len(ends) <= max_tokens else text[: ends[max_tokens - 1]]
