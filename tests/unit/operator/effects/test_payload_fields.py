"""Fields of a document, from templates: what they may say, what they refuse, how large they get."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_operator.effects.payload.fields import FIELDS_LIMIT, Fields
from mediatask_operator.effects.templates import TEMPLATE_LIMIT, TEXT_LIMIT, Template
from mediatask_operator.settings import PayloadSettings

KNOWN: dict[str, Any] = {
    "task_id": "scene-1",
    "project_id": "42",
    "project": 7,
    "task_data": {"prompt": "a fox", "seed": 9, "lines": ["a", "b"], "empty": None},
    "metadata": {"user": {"name": "Ada"}, "ok": True},
    "result": {"metadata": {"width": 64, "ratio": 1.5}},
}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{task_id}", "scene-1"),
        ("{task_data.prompt}, {result.metadata.width} px", "a fox, 64 px"),
        ("{result.metadata.width}", 64),
        ("{project}", 7),
        ("{project_id:number}", 42),
        ("{result.metadata.ratio:number}", 1.5),
        ("{task_data.prompt:number}", None),
        ("{metadata.ok:number}", None),
        ("{metadata.ok}", True),
        ("{task_data.lines}", ["a", "b"]),
        ("lines: {task_data.lines}", 'lines: ["a","b"]'),
        ("{metadata.user.name}", "Ada"),
        ("{task_data.absent}", None),
        ("{task_data.prompt.deeper}", None),
        ("{task_data.empty}", None),
        ("by {metadata.absent}!", "by !"),
        ("{{{task_id}}}", "{scene-1}"),
        ("as it is", "as it is"),
    ],
)
def test_a_template_says(template: str, value: Any) -> None:
    assert Template(template).render(KNOWN) == value


@pytest.mark.parametrize(
    "template",
    [
        "{",
        "}",
        "{}",
        "{secret}",
        "{task_data.a!r}",
        "{task_id:x}",
        "{task_data[0]}",
        "{task_id.}",
        "{ task_id }",
        "x" * (TEMPLATE_LIMIT + 1),
        "{task_data" + ".a" * 9 + "}",
    ],
)
def test_what_is_no_template_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"template|brace|path"):
        Template(template)


def test_fields_without_a_value_are_left_out() -> None:
    fields = Fields({"alt": "{task_data.absent}", "project_id": "{project_id}"})
    assert fields.render(KNOWN) == {"project_id": "42"}
    assert fields.roots == {"task_data", "project_id"}


@pytest.mark.parametrize("name", ["task_id", "id", "filename", "a b", "", "_x", "a.b", "x" * 65])
def test_names_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="field"):
        Fields({name: "x"})


def test_there_are_not_too_many() -> None:
    with pytest.raises(ValueError, match="at most"):
        Fields({f"f{number}": "x" for number in range(FIELDS_LIMIT + 1)})


def test_what_a_task_says_is_bounded() -> None:
    known = {"task_data": {"prompt": "x" * 1_000_000, "lines": ["x" * 1000] * 1000}, "metadata": {"n": "9" * 100_000}}
    fields = Fields(
        {
            "a": "{task_data.prompt}",
            "b": "{task_data.prompt}" * 50,
            "c": "{task_data.lines}",
            "d": "{metadata.n:number}",
        }
    )
    rendered = fields.render(known)
    assert (len(rendered["a"]), len(rendered["b"]), "c" in rendered) == (TEXT_LIMIT, TEXT_LIMIT, False)


@given(text=st.text(alphabet="{}:.atsk_id \x00é", max_size=40), known=st.dictionaries(st.text(), st.integers()))
def test_any_text_is_a_template_or_refused_and_what_it_says_is_json(text: str, known: dict[str, Any]) -> None:
    try:
        template = Template(text)
    except ValueError:
        return
    orjson.dumps(template.render({"task_id": known}))


# ---- the settings


def test_the_platforms_names_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYLOAD_API_URL", "http://localhost:3010/api")
    monkeypatch.setenv("PAYLOAD_API_KEY", "a-key")
    settings = PayloadSettings()
    assert settings.api_key is not None
    assert (settings.api_url, settings.api_key.get_secret_value()) == ("http://localhost:3010/api", "a-key")
    monkeypatch.setenv("MEDIATASK_PAYLOAD_API_URL", "https://cms.example.com/api")
    assert PayloadSettings().api_url == "https://cms.example.com/api"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAYLOAD_API_URL", "cms.example.com"),
        ("PAYLOAD_API_URL", "https://user:pass@cms.example.com/api"),
        ("PAYLOAD_API_KEY", "two\nlines"),
        ("PAYLOAD_API_KEY", "schlüssel"),
        ("MEDIATASK_PAYLOAD_COLLECTION", "../users"),
        ("MEDIATASK_PAYLOAD_PROJECTS", "projects"),
        ("MEDIATASK_PAYLOAD_FIELDS", '{"alt": "{secret}"}'),
    ],
)
def test_wrong_settings_are_refused_without_a_word_of_the_key(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="PayloadSettings") as caught:
        PayloadSettings()
    assert value not in str(caught.value) or "KEY" not in name


def test_empty_variables_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PAYLOAD_API_URL", "PAYLOAD_API_KEY"):
        monkeypatch.setenv(name, "")
    assert (PayloadSettings().api_url, PayloadSettings().api_key) == (None, None)
