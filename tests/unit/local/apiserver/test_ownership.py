"""Field ownership: sets of fields, applies and updates."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_local.apiserver.errors import ApiError
from mediatask_local.apiserver.schema.structure import Structure
from mediatask_local.apiserver.writing.apply import applied, updated
from mediatask_local.apiserver.writing.fieldset import from_fields_v1, leaves, remove_paths, to_fields_v1

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer"},
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["id"],
                    "items": {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}},
                },
                "words": {"type": "array", "items": {"type": "string"}},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
    },
}
STRUCTURE = Structure(SCHEMA)
PARTS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3).map(
    lambda parts: [{"id": key, "n": n} for key, n in parts.items()]
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(0, 3),
        "tags": st.lists(st.sampled_from("xyz"), unique=True, min_size=1),
        "parts": PARTS.filter(bool),
        "words": st.lists(st.sampled_from("uvw"), min_size=1),
        "labels": st.dictionaries(st.sampled_from("kl"), st.sampled_from("12"), min_size=1),
    },
)


def config(**spec: Any) -> dict[str, Any]:
    return {"metadata": {}, "spec": spec} if spec else {"metadata": {}}


def apply(live: Any, wanted: Any, manager: str, *, force: bool = False) -> dict[str, Any]:
    return applied(live, wanted, STRUCTURE, manager, "x/v1", "", force=force)


def in_any_order(spec: dict[str, Any]) -> dict[str, Any]:
    result = dict(spec)
    if "tags" in result:
        result["tags"] = sorted(result["tags"])
    if "parts" in result:
        result["parts"] = sorted(result["parts"], key=lambda part: part["id"])
    return result


@given(SPECS)
def test_the_stored_form_keeps_every_path(spec: dict[str, Any]) -> None:
    for containers in (False, True):
        paths = frozenset(path for path, _ in leaves(config(**spec), STRUCTURE, containers=containers))
        assert frozenset(from_fields_v1(to_fields_v1(paths))) == paths


@given(SPECS)
def test_removing_every_path_leaves_nothing(spec: dict[str, Any]) -> None:
    obj = {"spec": spec}
    paths = [path for path, _ in leaves(obj, STRUCTURE)]
    if paths:
        assert not remove_paths(obj, paths, STRUCTURE).get("spec")


@given(SPECS, SPECS)
def test_the_only_manager_gets_just_what_it_states(first: dict[str, Any], second: dict[str, Any]) -> None:
    live = apply(None, config(**first), "m")
    live = apply(live, config(**second), "m")
    assert in_any_order(live.get("spec", {})) == in_any_order(second)


@given(SPECS, SPECS)
def test_force_always_gets_its_way(first: dict[str, Any], second: dict[str, Any]) -> None:
    live = apply(apply(None, config(**first), "one"), config(**second), "two", force=True)
    spec = live.get("spec", {})
    for path, _ in leaves(config(**second), STRUCTURE):
        assert path in dict(leaves(config(**spec), STRUCTURE))
    assert spec.get("size", first.get("size")) == second.get("size", first.get("size"))


@given(SPECS, SPECS)
def test_a_conflict_needs_another_value(first: dict[str, Any], second: dict[str, Any]) -> None:
    live = apply(None, config(**first), "one")
    have, want = dict(leaves(config(**first), STRUCTURE)), dict(leaves(config(**second), STRUCTURE))
    clash = any(path in have and have[path] != value for path, value in want.items())
    if clash:
        with pytest.raises(ApiError, match="Apply failed with"):
            apply(live, config(**second), "two")
    else:
        apply(live, config(**second), "two")


@given(SPECS, SPECS)
def test_an_update_owns_what_it_changed_and_nothing_that_is_gone(first: dict[str, Any], second: dict[str, Any]) -> None:
    live = apply(None, config(**first), "one")
    new = config(**second)
    managed = updated(live, new, STRUCTURE, "two", "x/v1", "")
    owned = {entry["manager"]: frozenset(from_fields_v1(entry["fieldsV1"])) for entry in managed}
    before, after = dict(leaves(config(**first), STRUCTURE)), dict(leaves(new, STRUCTURE))
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    assert changed <= owned.get("two", frozenset())
    everything = set(after) | {path for path, _ in leaves(new, STRUCTURE, containers=True)}
    assert all(paths <= everything for paths in owned.values())
    assert not changed & owned.get("one", frozenset())


def test_an_update_without_a_change_changes_no_entry() -> None:
    live = apply(None, config(size=1), "one")
    assert updated(live, config(size=1), STRUCTURE, "two", "x/v1", "") == live["metadata"]["managedFields"]
