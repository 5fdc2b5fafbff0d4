"""Merge, JSON and strategic merge patches."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_local.apiserver.errors import ApiError
from mediatask_local.apiserver.schema import kinds as schemas
from mediatask_local.apiserver.schema.structure import Structure
from mediatask_local.apiserver.writing.patch import json_patch, merge_patch, strategic_patch

KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=3)


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_can_be_repeated_and_leaves_its_target_alone(target: Any, patch: Any) -> None:
    before = copy.deepcopy(target)
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once
    assert target == before


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_rfc_7386(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


def test_json_patch_leaves_its_target_alone() -> None:
    target = {"a": {"b": [1]}}
    assert json_patch(target, [{"op": "add", "path": "/a/b/-", "value": 2}]) == {"a": {"b": [1, 2]}}
    assert target == {"a": {"b": [1]}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/zzz"},
        {"op": "frobnicate", "path": "/a"},
        {"op": "replace", "path": "no slash", "value": 1},
    ],
)
def test_a_json_patch_that_does_not_apply_is_422(operation: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch({"a": 1}, [operation])
    assert caught.value.code == 422


POD = schemas.builtin("", "v1", "Pod")
assert POD is not None
SPEC = Structure(POD).child("spec")


def strategic(target: Any, patch: Any) -> Any:
    return strategic_patch(target, patch, SPEC)


def test_containers_merge_by_name() -> None:
    target = {"containers": [{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]}
    patch = {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}, {"name": "c"}]}
    assert strategic(target, patch) == {
        "containers": [
            {"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
            {"name": "b"},
            {"name": "c"},
        ]
    }


def test_items_can_be_deleted_and_lists_replaced() -> None:
    target = {"containers": [{"name": "a"}, {"name": "b"}]}
    assert strategic(target, {"containers": [{"name": "a", "$patch": "delete"}]}) == {"containers": [{"name": "b"}]}
    replaced = strategic(target, {"containers": [{"$patch": "replace"}, {"name": "z"}]})
    assert replaced == {"containers": [{"name": "z"}]}


def test_the_wanted_order_is_kept() -> None:
    target = {"containers": [{"name": "a"}, {"name": "b"}]}
    patch = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "b", "image": "x"}]}
    assert strategic(target, patch) == {"containers": [{"name": "b", "image": "x"}, {"name": "a"}]}


def test_lists_without_merge_key_are_replaced() -> None:
    target = {"containers": [{"name": "a", "command": ["x", "y"]}], "tolerations": [{"key": "k"}]}
    patch = {"containers": [{"name": "a", "command": ["z"]}], "tolerations": [{"key": "l"}]}
    assert strategic(target, patch) == {
        "containers": [{"name": "a", "command": ["z"]}],
        "tolerations": [{"key": "l"}],
    }


def test_finalizers_are_added_and_deleted_one_by_one() -> None:
    assert POD is not None
    metadata = Structure(POD).child("metadata")
    assert strategic_patch({"finalizers": ["a"]}, {"finalizers": ["b"]}, metadata) == {"finalizers": ["a", "b"]}
    removal = {"$deleteFromPrimitiveList/finalizers": ["a"]}
    assert strategic_patch({"finalizers": ["a", "b"]}, removal, metadata) == {"finalizers": ["b"]}


def test_an_item_without_its_merge_key_is_refused() -> None:
    with pytest.raises(ApiError, match="does not contain declared merge key: name"):
        strategic({"containers": [{"name": "a"}]}, {"containers": [{"image": "x"}]})
