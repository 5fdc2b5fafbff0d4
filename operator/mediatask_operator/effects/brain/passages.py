"""What the Brain has answered, as passages of text. Pure.

How a Brain forms its answers is its own affair: a list, or an object with a list in it; documents, rows or nodes. It
may answer with nonsense, and it reads what strangers have written: everything is bounded, cleaned, and left out where
it says that it belongs to another project.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mediatask_crds.brain import SOURCE_LIMIT

_LISTS = (
    "results", "documents", "matches", "nodes", "neighbors", "neighbours", "rows", "records", "items", "data", "result",
    "context",
)  # fmt: skip
_TEXTS = ("content", "text", "description", "summary", "answer", "context")
_NAMES = ("name", "title")
_IDS = ("id", "node_id", "document_id", "nodeId", "documentId", "elementId")
_SCORES = ("score", "similarity")
_PROJECTS = ("project_id", "projectId")
_DEPTH = 4
"""Levels of an answer that are looked at."""
_ITEMS = 200
"""Passages of an answer that are looked at."""
_LONGEST = 16 * 1024
"""Characters of a passage that are looked at."""
MARK = re.compile(r"\s*\[mediatask [0-9A-Za-z-]{1,64}\]")
"""What keeps the documents of our own tasks apart; see `remember`."""
# Control characters but the line feed, halves of surrogate pairs, what has no width, and what turns the direction of
# text around.
_UNWANTED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+")


@dataclass(frozen=True)
class Passage:
    """A piece of an answer."""

    text: str
    source: str
    """Id of its document or node; empty where it has none."""


@dataclass(frozen=True)
class Found:
    """What there is in an answer."""

    passages: tuple[Passage, ...]
    foreign: int
    """Passages of other projects, which were left out."""


def passages(answer: Any, project: str, limit: int, min_score: float = 0.0) -> Found:
    """The first `limit` passages of an answer that are this project's."""
    found: list[Passage] = []
    foreign = 0
    for item in _items(answer)[:_ITEMS]:
        if _foreign(item, project):
            foreign += 1
        elif len(found) < limit and _score(item) >= min_score:
            text = clean(MARK.sub("", _text(item)))
            if text and text not in (known.text for known in found):
                found.append(Passage(text, identity(item)))
    return Found(tuple(found), foreign)


def joined(found: Sequence[Passage], limit: int) -> tuple[str, list[str]]:
    """One text of at most `limit` characters, and the ids of what it was made of."""
    text, sources = "", []
    for passage in found:
        more = f"\n{passage.text}" if text else passage.text
        if len(text) + len(more) > limit:
            more = more[: limit - len(text)].rstrip()
        if not more.strip():
            break
        text += more
        if passage.source:
            sources.append(passage.source)
    return text, sources


def clean(text: str) -> str:
    """The text without what no reader sees, and without empty lines."""
    lines = _UNWANTED.sub(" ", text.replace("\r\n", "\n")).split("\n")
    return "\n".join(" ".join(line.split()) for line in lines if line.strip())


def identity(item: Any) -> str:
    """The id of a document or node, fit for a table; empty where it has none."""
    for name in _IDS:
        value = item.get(name) if isinstance(item, Mapping) else None
        if isinstance(value, str | int) and not isinstance(value, bool):
            return clean(str(value)).replace("\n", " ")[:SOURCE_LIMIT]
    return ""


def documents(answer: Any) -> list[Mapping[str, Any]]:
    """The objects of an answer."""
    return [item for item in _items(answer)[:_ITEMS] if isinstance(item, Mapping)]


def vector(answer: Any) -> list[float] | None:
    """The embedding in an answer; None where there is none."""
    for _ in range(_DEPTH):
        if isinstance(answer, Mapping):
            answer = next((answer[name] for name in ("embedding", "vector", "result") if name in answer), None)
    if not isinstance(answer, list) or not 0 < len(answer) <= 8192:
        return None
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < 1e30 for one in answer):
        return None  # NaN is not
    return [float(one) for one in answer]


def _items(answer: Any, depth: int = 0) -> list[Any]:
    if isinstance(answer, list):
        return answer
    if isinstance(answer, str):
        return [answer]
    if not isinstance(answer, Mapping) or depth == _DEPTH:
        return []
    for name in _LISTS:
        if isinstance(answer.get(name), list | Mapping):
            return _items(answer[name], depth + 1)
    return [answer]


def _foreign(item: Any, project: str) -> bool:
    """Whether it says anywhere that it belongs to another project."""
    return any(
        part[name] != project
        for part in _objects(item)
        for name in _PROJECTS
        if isinstance(part.get(name), str | int) and not isinstance(part[name], bool)
    )


def _objects(item: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    if depth > _DEPTH:
        return
    if isinstance(item, Mapping):
        yield item
    children = item.values() if isinstance(item, Mapping) else item if isinstance(item, list) else ()
    for child in children:
        yield from _objects(child, depth + 1)


def _score(item: Any) -> float:
    """1 for what has none: it was not searched for by likeness."""
    for name in _SCORES:
        value = item.get(name) if isinstance(item, Mapping) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value) if value == value else 0.0
    return 1.0


def _text(item: Any) -> str:
    if isinstance(item, str):
        return item[:_LONGEST]
    if not isinstance(item, Mapping):
        return ""
    whole: dict[str, Any] = {}
    for part in (item, item.get("properties"), item.get("document"), item.get("node")):
        if isinstance(part, Mapping):
            whole |= part
    words = next((whole[name] for name in _TEXTS if isinstance(whole.get(name), str) and whole[name].strip()), None)
    name = next((whole[name] for name in _NAMES if isinstance(whole.get(name), str) and whole[name].strip()), None)
    if words is not None:
        return f"{name[:256]}: {words}"[:_LONGEST] if name and name not in words else words[:_LONGEST]
    return "; ".join(_facts(item))[:_LONGEST]


def _facts(item: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """`name: value` of everything that is neither an id nor a score."""
    for name, value in item.items():
        if name in (*_IDS, *_SCORES, *_PROJECTS, "labels", "embedding", "metadata"):
            continue
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            yield f"{str(name)[:64]}: {str(value)[:2048]}"
        elif isinstance(value, Mapping) and depth < _DEPTH:
            yield from _facts(value, depth + 1)
