"""Structural schemas: pruning, defaults, messages and ratcheting."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_local.apiserver.schema import schema

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=12,
)
SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "maxLength": 3},
        "size": {"type": "integer", "default": 2, "maximum": 9},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["id"],
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "n": {"type": "integer", "maximum": 5}},
            },
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


def errors(value: Any, old: Any = schema.MISSING) -> list[str]:
    return [str(error) for error in schema.validate(value, SPEC, "", old)]


def test_pruning_tells_what_it_removes() -> None:
    value = {"name": "a", "x": 1, "parts": [{"id": "p", "y": 2}], "free": {"z": [{"q": 1}]}, "labels": {"k": "v"}}
    assert list(schema.prune(value, SPEC)) == ["x", "parts[0].y"]
    assert value == {"name": "a", "parts": [{"id": "p"}], "free": {"z": [{"q": 1}]}, "labels": {"k": "v"}}


@given(JSON)
def test_pruning_twice_finds_nothing_more(value: Any) -> None:
    list(schema.prune(value, SPEC))
    assert list(schema.prune(value, SPEC)) == []


@given(JSON)
def test_anything_kept_free_survives(value: Any) -> None:
    holder = {"name": "a", "free": {"value": value}}
    assert list(schema.prune(holder, SPEC)) == []
    assert holder["free"] == {"value": value}


@given(JSON)
def test_any_json_can_be_judged(value: Any) -> None:
    schema.set_defaults(value, SPEC)
    found = errors(value)
    assert isinstance(value, dict) or found


@given(JSON)
def test_defaults_settle_at_once(value: Any) -> None:
    schema.set_defaults(value, SPEC)
    again = schema.clone(value)
    schema.set_defaults(again, SPEC)
    assert again == schema.clone(value)


def test_defaults_are_not_shared() -> None:
    shared: dict[str, Any] = {"type": "object", "properties": {"l": {"type": "array", "default": []}}}
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    schema.set_defaults(first, shared)
    schema.set_defaults(second, shared)
    first["l"].append(1)
    assert second == {"l": []}


def test_what_did_not_change_is_not_judged_again() -> None:
    old = {"name": "far too long", "parts": [{"id": "a", "n": 9}, {"id": "b", "n": 1}]}
    new = {**old, "parts": [{"id": "b", "n": 7}, {"id": "a", "n": 9}]}
    assert len(errors(new)) == 3
    assert errors(new, old) == ["parts[0].n: Invalid value: 7: parts[0].n in body should be less than or equal to 5"]


@pytest.mark.parametrize(
    ("source", "text", "matches"),
    [
        ("^a$", "a", True),
        ("^a$", "a\n", False),
        ("^(a$|b$)", "b", True),
        (r"^\$$", "$", True),
        (r"^\d+$", "٣", False),
        ("b", "abc", True),
    ],
)
def test_patterns_mean_what_they_mean_in_go(source: str, text: str, matches: bool) -> None:
    assert bool(schema.pattern(source).search(text)) is matches


def test_logic_of_schemas() -> None:
    either = {"anyOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object"}
    one = {"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object"}
    none = {"not": {"required": ["a"]}, "type": "object"}
    assert not list(schema.validate({"a": 1}, either))
    assert list(schema.validate({}, either))
    assert not list(schema.validate({"b": 1}, one))
    assert list(schema.validate({"a": 1, "b": 1}, one))
    assert not list(schema.validate({}, none))
    assert list(schema.validate({"a": 1}, none))
