"""The platform team's rules against texts, however these are spelled."""

from __future__ import annotations

import base64
import codecs
import gc
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_common.moderation import RuleBook, read_rules
from mediatask_crds.tasktypes import task_type, texts

RULES = {
    "gore": "id: no-gore\naction: refuse\nwords: [gore, decapitat*, beheading, 'child abuse']\n",
    "guns": "id: look-at-guns\naction: hold\npatterns: ['\\bguns?\\b']\n",
}
BOOK = read_rules(RULES)


def decision(text: str, book: RuleBook = BOOK) -> str:
    return book.judge([text], "film", "image").decision


@pytest.mark.parametrize(
    "text",
    [
        "a scene of gore",
        "G.O.R.E",
        "g o r e",
        "g_o_r_e",
        "go\u200bre",
        "g\u202eore",
        "gоrе",  # Cyrillic
        "ｇｏｒｅ",
        "𝕘𝕠𝕣𝕖",
        "🅖🅞🅡🅔",
        "🇬 🇴 🇷 🇪",
        "gòŕé",
        "g0r3",
        "gooooore",
        "g*re",
        "be-heading",
        "dec apitated",
        "child-abuse",
        "%67%6f%72%65",
        "%2567ore",
        "&#103;or&#x65;",
        "\\u0067ore",
        "676f7265",
        base64.b64encode(b"a lot of gore").decode(),
        base64.b64encode(base64.b64encode(b"gore")).decode(),
        codecs.encode("a lot of gore", "rot13"),
        "".join(chr(0xE0000 + ord(char)) for char in "gore"),
    ],
)
def test_disguises_are_seen_through(text: str) -> None:
    assert decision(f"please draw {text} now") == "refuse"


@pytest.mark.parametrize(
    "text",
    [
        "the convoy will be heading north",
        "they forego regal gorgeous things",
        "go re-enter the room",
        "Room 455, at 9 o'clock",
        "a child abused by nobody",
        "",
    ],
)
def test_what_is_there_by_chance_is_let_through(text: str) -> None:
    assert decision(text) == "allow"


def test_a_pattern_can_hold_and_a_refusal_takes_precedence() -> None:
    assert decision("old GUNS") == "hold"
    assert BOOK.judge(["a gun", "gore"], "film", "image").rules == ("no-gore", "look-at-guns")


def test_a_rule_concerns_its_projects_and_classes() -> None:
    book = read_rules({"a": "id: a\naction: refuse\nwords: [gore]\nprojects: [kids]\nclasses: [image]\n"})
    assert book.judge(["gore"], "kids", "image").decision == "refuse"
    assert book.judge(["gore"], "kids", "video").decision == "allow"
    assert book.judge(["gore"], "film", "image").decision == "allow"


@pytest.mark.parametrize(
    "entry",
    [
        "id: a\naction: refuse\nwords: [go]\n",
        "id: a\naction: refuse\npatterns: ['(a+']\n",
        "id: a\naction: refuse\npatterns: ['a*']\n",
        "id: a\naction: refuse\npatterns: ['(?=x)y']\n",
        "id: a\naction: burn\n",
        "id: a\naction: refuse\nword: [gore]\n",
        "just text",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "x" * 200_000,
    ],
)
def test_an_entry_that_cannot_be_used_is_named(entry: str) -> None:
    book = read_rules({"bad": entry, "gore": RULES["gore"]})
    assert list(book.faults) == ["bad"]
    assert decision("gore", book) == "refuse"


def test_the_digest_tells_versions_apart() -> None:
    assert read_rules(RULES).digest == BOOK.digest != read_rules({"gore": RULES["gore"]}).digest


@given(st.text(max_size=300))
def test_no_text_makes_it_fail(text: str) -> None:
    BOOK.judge([text], "film", "image")


_NOISE = st.sampled_from(["", "\u200b", "\u2060", "\u00ad", "\u0301", "\ufe0f", "\u202e"])
_PLAIN = st.text(alphabet="bcdfhjkmnpqtuvwxyz ", max_size=20)


@given(before=_PLAIN, after=_PLAIN, noise=st.lists(_NOISE, min_size=4, max_size=4), upper=st.booleans())
def test_what_is_not_seen_hides_nothing(before: str, after: str, noise: list[str], upper: bool) -> None:
    word = "".join(letter + each for letter, each in zip("gore", noise, strict=True))
    assert decision(f"{before} {word.upper() if upper else word} {after}") == "refuse"


@pytest.mark.parametrize("piece", ["a", "g o r ", "&amp;", "aGVsbG8gd29ybGQ ", "*a"])
def test_time_grows_with_the_text_and_not_faster(piece: str) -> None:
    def seconds(size: int) -> float:
        text = (piece * size)[:size]
        began = time.thread_time()
        decision(text)
        return time.thread_time() - began

    gc.disable()  # it looks at all that the other tests have left
    try:
        decision(piece)
        short, long = (min(seconds(size * 1024) for _ in range(3)) for size in (2, 32))
        # 16 times the text: 256 times the time if it were quadratic.
        assert long < 128 * max(short, 0.002)
    finally:
        gc.enable()


def test_all_texts_of_a_task_are_read_and_what_they_make_together() -> None:
    data: dict[str, Any] = {
        "prompt_template": "draw {{a}}{{b}}",
        "test_parameters": {"a": "go", "b": "re", "deep": [{"x": "y"}]},
        "prompt_id": "p1",
    }
    parsed = task_type("test_prompt").model_validate(data)
    assert {text for _, text in texts(parsed)} >= {"draw {{a}}{{b}}", "go", "re", "y", "x", "p1"}
    assert BOOK.judge([text for _, text in texts(parsed)], "film", "image").decision == "allow"
    assert BOOK.judge([parsed.composed()], "film", "image").decision == "refuse"


def test_addresses_of_inputs_are_no_texts() -> None:
    data = {"scene_description": "x", "storyboard_images": ["https://example.com/gore.png"], "audio_cues": ["rain"]}
    assert [text for _, text in texts(task_type("generate_video").model_validate(data))] == ["x", "rain"]


def test_a_short_template_does_not_make_a_long_text() -> None:
    data = {"prompt_template": "{{a}}" * 1600, "test_parameters": {"a": "b" * 100_000}}
    assert len(task_type("test_prompt").model_validate(data).composed()) < 300_000
