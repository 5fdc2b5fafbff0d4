"""From the words of a command line to `task_data`, led by the real schemas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_client.cli.submission import main_field, task_data
from mediatask_client.errors import UsageError
from mediatask_crds.tasktypes import task_types

SCHEMAS: dict[str, dict[str, Any]] = {name: kind.model_json_schema() for name, kind in task_types().items()}


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("generate_image", "character_description"),
        ("generate_video", "scene_description"),
        ("process_audio", "text"),
        ("test_prompt", "prompt_template"),
    ],
)
def test_the_text_fills_the_main_field(kind: str, field: str) -> None:
    assert main_field(SCHEMAS[kind]) == field
    assert task_data(SCHEMAS[kind], "words", [], {}) == {field: "words"}


@pytest.mark.parametrize(
    ("kind", "setting", "expected"),
    [
        ("generate_image", "width=512", {"width": 512}),
        ("generate_image", "seed=7", {"seed": 7}),
        ("generate_image", "pose=1920", {"pose": "1920"}),
        ("generate_image", "negative_prompt=a=b", {"negative_prompt": "a=b"}),
        ("generate_video", "duration=2.5", {"duration": 2.5}),
        ("generate_video", "audio_cues=rain", {"audio_cues": ["rain"]}),
        ("generate_video", 'audio_cues=["rain", "wind"]', {"audio_cues": ["rain", "wind"]}),
        ("test_prompt", "test_parameters.name=Vera", {"test_parameters": {"name": "Vera"}}),
        ("test_prompt", "test_parameters.age=31", {"test_parameters": {"age": 31}}),
        ("test_prompt", 'test_parameters={"a": [1]}', {"test_parameters": {"a": [1]}}),
    ],
)
def test_values_take_the_type_of_their_field(kind: str, setting: str, expected: dict[str, Any]) -> None:
    assert task_data(SCHEMAS[kind], None, [setting], {}) == expected


def test_a_list_grows_with_each_mention() -> None:
    urls = ["https://a.example/1.jpg?x=1,2", "https://a.example/2.jpg"]
    settings = [f"storyboard_images={url}" for url in urls]
    assert task_data(SCHEMAS["generate_video"], None, settings, {})["storyboard_images"] == urls


def test_the_command_line_overrides_the_file() -> None:
    base = {"prompt": "old", "width": 64, "reference_images": ["https://old.example"]}
    made = task_data(SCHEMAS["generate_image"], None, ["width=128", "reference_images=https://new.example"], base)
    assert made == {"prompt": "old", "width": 128, "reference_images": ["https://new.example"]}
    assert base["width"] == 64


@pytest.mark.parametrize("where", ["setting", "file"])
def test_an_unknown_field_is_answered_with_the_one_meant(where: str) -> None:
    settings, base = (["widht=512"], {}) if where == "setting" else ([], {"widht": 512})
    with pytest.raises(UsageError, match=r"unknown field widht \(did you mean width\?\); there are: .*seed"):
        task_data(SCHEMAS["generate_image"], None, settings, base)


@pytest.mark.parametrize(
    ("kind", "setting", "message"),
    [
        ("generate_image", "width", "write it as field=value"),
        ("generate_image", "width=wide", "width is a whole number, not 'wide'"),
        ("generate_image", "width=1.5", "whole number"),
        ("generate_video", "duration=long", "duration is a number"),
        ("generate_video", "audio_cues=[rain", "not JSON"),
        ("test_prompt", "test_parameters=Vera", "is an object"),
    ],
)
def test_a_value_of_the_wrong_type_says_which_is_right(kind: str, setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        task_data(SCHEMAS[kind], None, [setting], {})


@given(kind=st.sampled_from(sorted(SCHEMAS)), name=st.text(max_size=12), value=st.text(max_size=20))
def test_any_words_become_data_or_a_usage_error(kind: str, name: str, value: str) -> None:
    try:
        made = task_data(SCHEMAS[kind], None, [f"{name}={value}"], {})
    except UsageError:
        return
    assert set(made) <= set(SCHEMAS[kind]["properties"])
