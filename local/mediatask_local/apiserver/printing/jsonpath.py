"""JSONPath of printer columns, with the grammar and the quirks of client-go's `k8s.io/client-go/util/jsonpath`.

`.status.conditions[?(@.type=="Ready")].status`, `.spec.items[-1:].name`, `.metadata.labels.app\\.kubernetes\\.io/name`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

Step = Callable[[Any], list[Any]]
"""From one value to those that it selects. Raises LookupError where it does not apply."""
Path = tuple[Step, ...]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TOKEN = re.compile(
    r"""\[\?\((?P<filter>[^"')]*(?:(?P<quote>["']).*?(?<!\\)(?P=quote)[^"')]*)?)\)\]
      | \[(?P<array>[^\]\n]*)\]
      | (?P<deep>\.\.)(?=[^.])
      | \.(?P<field>(?:\\.|[^\\.,\[\]$@{}\s])*)
      | (?P<text>"(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*')
      | (?P<number>[+-]?\d+(?:\.\d+)?)
      | (?P<truth>true|false)\b
      | (?P<self>[@$\s])""",
    re.VERBOSE,
)
_KEY = re.compile(r"'([^']*)'")
_SLICE = re.compile(r"(-?\d*)(:-?\d*)?(:-?\d*)?")
_CONDITION = re.compile(r"([^!<>=]+)([!<>=]+)(.+)")


@lru_cache(maxsize=512)
def parse(path: str) -> Path:
    """Parse a path. Raises ValueError where client-go cannot parse it either."""
    return tuple(_steps(path))


def find(value: Any, path: str) -> list[Any]:
    """All values at `path`, possibly none. Raises ValueError for an invalid path."""
    try:
        return _follow(value, parse(path))
    except LookupError:
        return []


def _steps(path: str) -> Iterator[Step]:
    position, after_deep = 0, False
    while position < len(path):
        # `..name` is a recursive descent, then a field whose dot the descent has consumed.
        token = _TOKEN.match(path if not after_deep else f".{path[position:]}", 0 if after_deep else position)
        if token is None:
            raise ValueError(f"unrecognized text in a JSON path: {path[position:]}")
        position, after_deep = (position + token.end() - 1 if after_deep else token.end()), token["deep"] is not None
        if token["filter"] is not None:
            yield _filter(token["filter"])
        elif token["array"] is not None:
            yield from _array(token["array"])
        elif token["deep"]:
            yield _descendants
        elif token["field"] is not None:
            name = token["field"]
            yield _children if name == "*" else partial(_member, name.replace("\\", ""))
        elif token["text"]:
            yield partial(_constant, token["text"][1:-1])
        elif token["number"]:
            number = token["number"]
            yield partial(_constant, float(number) if "." in number else int(number))
        elif token["truth"]:
            yield partial(_constant, token["truth"] == "true")


def _array(text: str) -> Iterator[Step]:
    parts = text.split(",")
    if len(parts) > 1:
        yield partial(_union, [parse(f"[{part.strip()}]") for part in parts])
    elif key := _KEY.fullmatch(text):
        # As in client-go: dots in a quoted key need a backslash, too.
        yield from _steps(f".{key[1]}")
    elif found := _SLICE.fullmatch(":" if text == "*" else text):
        start, end, step = found.groups()
        if end is None:
            yield partial(_item, int(start or 0))
        else:
            numbers = [int(digits) if digits else None for digits in (start, end[1:], step[1:] if step else "")]
            yield partial(_slice, *numbers)
    else:
        raise ValueError(f"invalid array index {text}")


def _filter(text: str) -> Step:
    comparison = _CONDITION.fullmatch(text)
    if comparison is None:
        return partial(_having, parse(text))
    left, name, right = comparison.groups()
    if name not in _COMPARISONS:
        raise ValueError(f"unrecognized filter operator {name}")
    return partial(_matching, parse(left), _COMPARISONS[name], parse(right))


def _follow(value: Any, path: Path) -> list[Any]:
    found = [value]
    for step in path:
        found = [below for each in found for below in step(each)]
    return found


def _constant(constant: Any, _: Any) -> list[Any]:
    return [constant]


def _member(name: str, value: Any) -> list[Any]:
    return [value[name]] if isinstance(value, dict) and value.get(name) is not None else []


def _children(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []


def _descendants(value: Any) -> list[Any]:
    return [value, *(below for child in _children(value) for below in _descendants(child))]


def _union(paths: list[Path], value: Any) -> list[Any]:
    return [found for path in paths for found in _follow(value, path)]


def _item(index: int, value: Any) -> list[Any]:
    items = _items(value)
    if not -len(items) <= index < len(items):
        raise LookupError("array index out of bounds")
    return [items[index]]


def _slice(start: int | None, end: int | None, step: int | None, value: Any) -> list[Any]:
    items = _items(value)
    first, last = (len(items) + at if at < 0 else at for at in (start or 0, len(items) if end is None else end))
    if first == last:
        return []
    if not 0 <= first < last <= len(items) or (step is not None and step <= 0):
        raise LookupError("array index out of bounds")
    return items[first:last:step]


def _having(path: Path, value: Any) -> list[Any]:
    return [item for item in _items(value) if _follow(item, path)]


def _matching(left: Path, compare: Callable[[Any, Any], bool], right: Path, value: Any) -> list[Any]:
    def matches(item: Any) -> bool:
        one, other = _follow(item, left), _follow(item, right)
        if not one or not other:
            return False
        if len(one) > 1 or len(other) > 1 or type(one[0]) is not type(other[0]):
            raise LookupError("only two values of the same type can be compared")
        return compare(one[0], other[0])

    return [item for item in _items(value) if matches(item)]


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise LookupError("neither array nor slice")
    return value
