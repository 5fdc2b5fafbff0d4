"""Schema validation in the words that `kubectl` shows, and `fieldValidation`."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.client import Api
from conformance.samples import GROUP, sample

BAD: list[tuple[dict[str, Any], str, str]] = [
    (
        {"mode": "nope"},
        "FieldValueNotSupported",
        'spec.mode: Unsupported value: "nope": supported values: "image", "video", "audio"',
    ),
    (
        {"level": 99},
        "FieldValueInvalid",
        "spec.level: Invalid value: 99: spec.level in body should be less than or equal to 9",
    ),
    (
        {"level": 0},
        "FieldValueInvalid",
        "spec.level: Invalid value: 0: spec.level in body should be greater than or equal to 1",
    ),
    (
        {"level": "two"},
        "FieldValueTypeInvalid",
        'spec.level: Invalid value: "string": spec.level in body must be of type integer: "string"',
    ),
    (
        {"level": 1.5},
        "FieldValueTypeInvalid",
        'spec.level: Invalid value: "number": spec.level in body must be of type integer: "number"',
    ),
    (
        {"project": "UPPER"},
        "FieldValueInvalid",
        "spec.project: Invalid value: \"UPPER\": spec.project in body should match '^[a-z]+$'",
    ),
    ({"project": "toolongname"}, "FieldValueTooLong", "spec.project: Too long: may not be more than 8 bytes"),
    (
        {"project": "a"},
        "FieldValueInvalid",
        'spec.project: Invalid value: "a": spec.project in body should be at least 2 chars long',
    ),
    ({"tags": ["a", "b", "c", "d"]}, "FieldValueTooMany", "spec.tags: Too many: 4: must have at most 3 items"),
    ({"tags": ["a", "a"]}, "FieldValueDuplicate", 'spec.tags[1]: Duplicate value: "a"'),
    ({"steps": [{"count": 1}]}, "FieldValueRequired", "spec.steps[0].name: Required value"),
    (
        {"steps": [{"name": "a"}, {"name": "a"}]},
        "FieldValueDuplicate",
        'spec.steps[1]: Duplicate value: {"name":"a"}',
    ),
    (
        {"words": "no list"},
        "FieldValueTypeInvalid",
        'spec.words: Invalid value: "string": spec.words in body must be of type array: "string"',
    ),
    (
        {"labels": {"a": 1}},
        "FieldValueTypeInvalid",
        'spec.labels.a: Invalid value: "integer": spec.labels.a in body must be of type string: "integer"',
    ),
    (
        {"when": "yesterday"},
        "FieldValueTypeInvalid",
        'spec.when: Invalid value: "yesterday": spec.when in body must be of type date-time: "yesterday"',
    ),
    (
        {"port": 1.5},
        "FieldValueTypeInvalid",
        'spec.port: Invalid value: "number": spec.port in body must be of type integer,string: "number"',
    ),
]


@pytest.mark.parametrize(("spec", "reason", "text"), BAD, ids=[next(iter(b[0])) + "-" + b[1] for b in BAD])
async def test_a_violation_is_422_with_its_cause(
    api: Api, path: str, name: str, spec: dict[str, Any], reason: str, text: str
) -> None:
    answer = await api.post(path, sample(name, **spec))
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert text in answer.message
    cause = next(c for c in answer.body["details"]["causes"] if c["reason"] == reason)
    assert text == f"{cause['field']}: {cause['message']}"


async def test_the_message_names_kind_and_object(api: Api, path: str, name: str) -> None:
    answer = await api.post(path, sample(name, level=99))
    assert answer.message.startswith(f'Sample.{GROUP} "{name}" is invalid: spec.level: ')
    details = answer.body["details"]
    assert (details["name"], details["group"], details["kind"]) == (name, GROUP, "Sample")


async def test_several_violations_are_all_told(api: Api, path: str, name: str) -> None:
    answer = await api.post(path, sample(name, level=99, project="UPPER"))
    assert "is invalid: [" in answer.message
    assert {c["field"] for c in answer.body["details"]["causes"]} == {"spec.level", "spec.project"}


async def test_grave_faults_keep_the_rules_from_running(api: Api, path: str, name: str) -> None:
    remark = "some validation rules were not checked because the object was invalid"
    for grave in ({"mode": "nope"}, {"tags": ["a", "b", "c", "d"]}, {"project": "toolongname"}, {"level": "x"}):
        assert remark in (await api.post(path, sample(name, **grave))).message, grave
    for light in ({"level": 99}, {"project": "UPPER"}, {"tags": ["a", "a"]}):
        answer = await api.post(path, sample(name, **{"mode": "video", **light}))
        assert remark not in answer.message, light
        assert "ratio is required for video" in answer.message, light


async def test_missing_required_fields(api: Api, path: str, name: str) -> None:
    body = sample(name)
    del body["spec"]["mode"]
    answer = await api.post(path, body)
    assert "spec.mode: Required value" in answer.message
    del body["spec"]
    answer = await api.post(path, body)
    assert "spec: Required value" in answer.message


@pytest.mark.parametrize("value", [80, "http"])
async def test_int_or_string(api: Api, path: str, name: str, value: int | str) -> None:
    assert (await api.create(path, sample(name, port=value))).body["spec"]["port"] == value


async def test_patches_are_validated(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    answer = await api.patch(f"{path}/{name}", {"spec": {"level": 99}})
    assert answer.status == 422


async def test_status_is_validated(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    answer = await api.patch(f"{path}/{name}/status", {"status": {"phase": 3}})
    assert answer.status == 422
    assert "status.phase" in answer.message


async def test_strict_refuses_unknown_fields(api: Api, path: str, name: str) -> None:
    answer = await api.post(path, sample(name, foo=1, steps=[{"name": "a", "bar": 2}]), fieldValidation="Strict")
    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert 'strict decoding error: unknown field "spec.foo", unknown field "spec.steps[0].bar"' in answer.message


async def test_strict_refuses_unknown_fields_at_the_root(api: Api, path: str, name: str) -> None:
    answer = await api.post(path, {**sample(name), "extra": 1}, fieldValidation="Strict")
    assert answer.status == 400
    assert 'strict decoding error: unknown field "extra"' in answer.message


async def test_strict_refuses_unknown_fields_in_patches(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    answer = await api.patch(f"{path}/{name}", {"spec": {"foo": 1}}, fieldValidation="Strict")
    assert answer.status == 422
    assert answer.message.startswith(' "" is invalid: patch: Invalid value: ')
    assert 'strict decoding error: unknown field "spec.foo"' in answer.message


async def test_strict_lets_known_fields_pass_over_managed_fields(api: Api, path: str, name: str) -> None:
    await api.create(path, sample(name))
    answer = await api.patch(f"{path}/{name}", {"spec": {"level": 3}}, fieldValidation="Strict")
    assert answer.status == 200


@pytest.mark.parametrize("mode", [{}, {"fieldValidation": "Warn"}])
async def test_warn_drops_unknown_fields_and_says_so(api: Api, path: str, name: str, mode: dict[str, str]) -> None:
    answer = await api.create(path, sample(name, foo=1), **mode)
    assert answer.headers["warning"] == '299 - "unknown field \\"spec.foo\\""'


async def test_ignore_drops_unknown_fields_silently(api: Api, path: str, name: str) -> None:
    answer = await api.create(path, sample(name, foo=1), fieldValidation="Ignore")
    assert "warning" not in answer.headers
