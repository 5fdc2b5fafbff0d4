"""The part of Kubernetes' JSONPath that printer columns use: fields, indexes and equality filters.

`.status.conditions[?(@.type=="Ready")].status`, `.spec.items[0].name`, `.metadata.labels.app\\.kubernetes\\.io/name`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"""\.(?P<field>(?:[^.\[\\]|\\.)+)
      | \[\?\(@\.(?P<key>[\w.-]+)\s*==\s*(?P<quote>["'])(?P<value>.*?)(?P=quote)\)\]
      | \[(?P<index>-?\d+|\*)\]
      | \[(?P<q>["'])(?P<name>.*?)(?P=q)\]""",
    re.VERBOSE,
)


@lru_cache(maxsize=512)
def _steps(path: str) -> tuple[re.Match[str], ...]:
    text = path if path.startswith((".", "[")) else f".{path}"
    steps, position = [], 0
    while position < len(text):
        match = _STEP.match(text, position)
        if not match:
            return ()
        steps.append(match)
        position = match.end()
    return tuple(steps)


def find(value: Any, path: str) -> list[Any]:
    """All values at `path`; none where the path leads nowhere or is not understood."""
    found = [value]
    steps = _steps(path)
    for step in steps:
        found = [below for each in found for below in _follow(each, step)]
    return found if steps else []


def _follow(value: Any, step: re.Match[str]) -> list[Any]:
    if step["key"]:
        items = value if isinstance(value, list) else []
        return [item for item in items if isinstance(item, dict) and str(item.get(step["key"])) == step["value"]]
    if step["index"]:
        if not isinstance(value, list):
            return []
        if step["index"] == "*":
            return value
        index = int(step["index"])
        return [value[index]] if -len(value) <= index < len(value) else []
    name = step["name"] if step["name"] is not None else step["field"].replace("\\", "")
    return [value[name]] if isinstance(value, dict) and value.get(name) is not None else []
