"""The generated CRDs: current, structural, documented, and as strict as the models they come from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mediatask_crds import generate, taskdata
from mediatask_crds.tasktypes import task_types

CRDS = Path(generate.__file__).parent.parent


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from walk(schema[key], f"{path}[]")


@pytest.fixture(params=[generate.mediatask, generate.mediataskclass], ids=["MediaTask", "MediaTaskClass"])
def version(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param()["spec"]["versions"][0]


def test_committed_files_are_what_the_models_say() -> None:
    for name, text in generate.rendered().items():
        assert (CRDS / name).read_text() == text, f"{name} is stale: run `make crds`"


def test_every_node_has_a_type_and_nothing_a_structural_schema_forbids(version: dict[str, Any]) -> None:
    for path, node in walk(version["schema"]["openAPIV3Schema"]):
        assert "type" in node or node.get("x-kubernetes-preserve-unknown-fields"), path
        assert not {"$ref", "anyOf", "oneOf", "allOf", "title", "const", "nullable"} & set(node), path


def test_no_default_says_null(version: dict[str, Any]) -> None:
    """The API server refuses the whole CRD for one that does, where the field is not nullable."""
    defaults = [
        (path, node["default"]) for path, node in walk(version["schema"]["openAPIV3Schema"]) if "default" in node
    ]
    assert [path for path, default in defaults if "null" in json.dumps(default)] == []


def test_bounds_of_integers_are_exact_in_json(version: dict[str, Any]) -> None:
    """Where one is not, the API server refuses every value of the field."""
    inexact = [
        path
        for path, node in walk(version["schema"]["openAPIV3Schema"])
        for bound in ("minimum", "maximum")
        if node.get("type") == "integer" and abs(node.get(bound, 0)) >= 2**53
    ]
    assert inexact == []


def test_every_field_has_a_doc_line(version: dict[str, Any]) -> None:
    root = version["schema"]["openAPIV3Schema"]["properties"]
    undocumented = [
        path
        for part in ("spec", "status")
        if part in root
        for path, node in walk(root[part], part)
        if not node.get("description") and not path.endswith("[]")
    ]
    assert undocumented == []


def test_strings_and_lists_of_the_spec_are_bounded(version: dict[str, Any]) -> None:
    """Without bounds the API server refuses CEL rules as too expensive, and one field could fill etcd."""
    unbounded = [
        path
        for path, node in walk(version["schema"]["openAPIV3Schema"]["properties"]["spec"], "spec")
        if (node.get("type") == "string" and "enum" not in node and "maxLength" not in node)
        or (node.get("type") == "array" and "maxItems" not in node)
    ]
    assert [path for path in unbounded if path != "spec.taskType"] == []


def test_the_spec_is_immutable_but_for_what_may_change() -> None:
    spec = generate.mediatask()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    rules = " ".join(rule["rule"] for rule in spec["x-kubernetes-validations"])
    for field in spec["properties"]:
        assert (f"self.{field} == oldSelf.{field}" in rules) == (field not in generate.MUTABLE), field


def test_task_data_types_every_field_of_every_task_type() -> None:
    merged = taskdata.merged_schema()["properties"]
    for kind in task_types().values():
        assert set(kind.model_fields) <= set(merged)
    assert not any("default" in schema for schema in merged.values()), "a default would reach other types"


def test_fields_that_types_share_allow_what_either_allows() -> None:
    assert taskdata.merged_schema()["properties"]["format"]["enum"] == ["jpeg", "mp3", "png", "wav", "webp"]
    narrower = [rule["rule"] for rule in taskdata.rules() if "self.taskData.format in" in rule["rule"]]
    assert any("process_audio" in rule and "mp3" in rule and "png" not in rule for rule in narrower)


def test_a_field_that_types_share_is_explained_for_each() -> None:
    text = taskdata.merged_schema()["properties"]["format"]["description"]
    assert text == "(generate_image) File format of the pictures. (process_audio) File format of the result."


def test_check_reports_a_stale_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = tmp_path / "tasks.ft.tc_mediatasks.yaml"
    stale.write_text(yaml.safe_dump({"kind": "Other"}))
    monkeypatch.setattr("sys.argv", ["generate", "--check", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"out of date: .*mediatasks.*make crds"):
        generate.main()
    assert stale.read_text() == yaml.safe_dump({"kind": "Other"}), "--check writes nothing"
