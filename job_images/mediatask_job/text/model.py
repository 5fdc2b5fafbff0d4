"""What a text model is to this runtime."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Completion:
    text: str
    prompt_tokens: int
    completion_tokens: int


class TextModel(Protocol):
    name: str
    revision: str | None
    device: str
    dtype: str | None

    def complete(self, prompt: str, seed: int, max_tokens: int) -> Completion:
        """Continue or answer the prompt; equal arguments give equal texts."""
        ...


def tokens(text: str) -> list[str]:
    """Words and punctuation marks."""
    return _TOKEN.findall(text)
