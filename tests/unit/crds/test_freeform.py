"""Free-form values: what Kubernetes, Redis or a reader of JSON could not keep is refused, with its place named."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from mediatask_crds.freeform import MAX_DEPTH, check_json
from mediatask_crds.task import METADATA_LIMIT, MediaTaskSpec, Metadata
from mediatask_crds.tasktypes import task_type

SPEC: dict[str, Any] = {"projectId": "p1", "taskType": "test_prompt", "taskData": {"prompt_template": "x"}}
METADATA = TypeAdapter(Metadata)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


BAD: list[tuple[Any, str]] = [
    ({"shot": {"take": [1, 2**63]}}, "shot.take.1: integers must fit into 64 bits"),
    ({"a": -(2**63) - 1}, "a: integers must fit into 64 bits"),
    ({"a": 10**30}, "a: integers must fit into 64 bits"),
    ({"a": float("inf")}, "a: numbers must be finite"),
    ({"a": [float("nan")]}, "a.0: numbers must be finite"),
    ({"a": "x\0y"}, "a: NUL characters are not accepted"),
    ({"a": {"b\0": 1}}, "a: NUL characters are not accepted"),
    ({"a": "\ud800"}, "a: lone surrogates are not accepted"),
    ({"a": nested(MAX_DEPTH)}, "nested deeper than 64 levels"),
]


@pytest.mark.parametrize(("value", "message"), BAD)
def test_what_could_not_be_kept_is_refused_with_its_place(value: dict[str, Any], message: str) -> None:
    for check in (
        lambda: METADATA.validate_python(value),
        lambda: task_type("test_prompt").model_validate({"prompt_template": "x", "test_parameters": value}),
    ):
        with pytest.raises(ValidationError, match=re.escape(message)):
            check()


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("ab.é", max_size=4), inner),
    )
)
def test_what_json_keeps_passes_unchanged(value: Any) -> None:
    assert check_json(value) is value
    assert orjson.loads(orjson.dumps(value)) == value


def test_metadata_has_16_kib_as_json() -> None:
    frame = len('{"a":""}')
    most = {"a": "é" * ((METADATA_LIMIT - frame) // 2)}
    assert METADATA.validate_python(most) == most
    with pytest.raises(ValidationError, match="16386 bytes as JSON, at most 16384 are accepted"):
        METADATA.validate_python({"a": most["a"] + "é"})
    with pytest.raises(ValidationError, match="at most 64 items"):
        METADATA.validate_python({str(number): 1 for number in range(65)})


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("generate_image", {"prompt": "a\0b"}),
        ("generate_image", {"prompt": "a", "pose": "\0"}),
        ("generate_image", {"prompt": "a", "style_guide": "https://example.com/\0"}),
        ("generate_video", {"scene_description": "x", "audio_cues": ["rain\0"]}),
        ("process_audio", {"text": "\0"}),
    ],
)
def test_no_text_holds_a_nul(name: str, data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        task_type(name).model_validate(data)


@pytest.mark.parametrize("url", ["https://example.com/\0", "https://example.com/\x1b[2J", "https://a b/", "ftp://a/"])
def test_a_callback_is_a_plain_url(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        MediaTaskSpec.model_validate({**SPEC, "callback": {"url": url}})
