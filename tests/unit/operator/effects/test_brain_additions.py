"""A task's data with what the Brain has answered."""

from __future__ import annotations

from typing import Any

import pytest

from mediatask_crds.brain import BrainQuestion
from mediatask_operator.effects.brain.additions import Additions, Unusable
from mediatask_operator.effects.brain.breaker import FAILURES, PAUSE_SECONDS, Breaker
from mediatask_operator.effects.brain.passages import Passage
from mediatask_operator.effects.brain.service import BrainAway

FOUND = [Passage("grey coat", "n1")]


def added(data: dict[str, Any], type_name: str = "generate_image", **question: Any) -> Additions:
    made = Additions(type_name, dict(data))
    made.add(0, BrainQuestion.model_validate({"ask": "Similar", **question}), FOUND)
    made.check()
    return made


@pytest.mark.parametrize(
    ("type_name", "field"),
    [
        ("generate_image", "prompt"),
        ("generate_image", "character_description"),
        ("generate_video", "scene_description"),
        ("process_audio", "text"),
        ("test_prompt", "prompt_template"),
    ],
)
def test_each_task_type_has_its_prompt(type_name: str, field: str) -> None:
    made = added({field: "Rex"}, type_name)
    assert made.data == {field: "Rex\n\ngrey coat"}
    assert (made.added[0].field, made.added[0].characters, made.added[0].sources) == (field, 9, ["n1"])


def test_two_names_of_one_text_go_on_saying_the_same() -> None:
    made = added({"prompt": "Rex", "character_description": "Rex"})
    assert made.data["prompt"] == made.data["character_description"] == "Rex\n\ngrey coat"


def test_fill_leaves_text_alone() -> None:
    assert added({"prompt": "Rex", "lighting": "soft"}, into=["lighting"], mode="Fill").added == []
    assert added({"prompt": "Rex"}, into=["lighting"], mode="Fill").data["lighting"] == "grey coat"


def test_the_separator_is_the_classs() -> None:
    assert added({"prompt": "Rex"}, separator=", ").data["prompt"] == "Rex, grey coat"


@pytest.mark.parametrize(("length", "left"), [(8192, 0), (8190, 0), (8186, 4), (8000, 9)])
def test_a_field_never_grows_beyond_what_its_type_takes(length: int, left: int) -> None:
    made = added({"prompt": "x" * length})
    assert sum(one.characters for one in made.added) == left
    assert len(made.data["prompt"]) <= 8192


def test_the_data_that_was_given_is_not_changed() -> None:
    given = {"prompt": "Rex"}
    added(given)
    assert given == {"prompt": "Rex"}


def test_data_that_the_type_no_longer_takes_is_not_kept() -> None:
    with pytest.raises(Unusable, match="character_description"):
        added({"character_description": "Rex"}, into=["prompt"])


def test_a_breaker_lets_one_through_after_each_pause() -> None:
    now = 0.0
    breaker = Breaker(lambda: now)
    for _ in range(FAILURES):
        assert breaker.lets_through()
        breaker.failed(BrainAway("no answer"))
    assert not breaker.lets_through()
    now += PAUSE_SECONDS
    assert breaker.lets_through()
    assert not breaker.lets_through(), "one at a time"
    breaker.answered()
    assert breaker.lets_through()


def test_a_tool_that_fails_does_not_make_the_brain_away() -> None:
    breaker = Breaker()
    for _ in range(2 * FAILURES):
        breaker.failed(BrainAway("query_graph: wrong", answered=True))
    assert breaker.lets_through()
