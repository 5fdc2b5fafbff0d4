"""Answers of a Brain as passages: in every form that they may have, and in those that mean harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_operator.effects.brain.passages import Passage, clean, joined, passages, vector

ONE = Passage("grey coat", "n1")


@pytest.mark.parametrize(
    "answer",
    [
        [{"id": "n1", "content": "grey coat"}],
        {"results": [{"id": "n1", "content": "grey coat"}]},
        {"result": {"documents": [{"document_id": "n1", "text": "grey coat"}]}},
        {"result": [{"node_id": "n1", "properties": {"description": "grey coat"}}]},
        {"matches": [{"id": "n1", "document": {"content": "grey coat"}, "score": 0.9}]},
        {"id": "n1", "content": "grey coat"},
        {"rows": [{"id": "n1", "properties": {"name": "grey coat", "description": "grey coat"}}]},
    ],
)
def test_every_usual_form_is_understood(answer: Any) -> None:
    assert passages(answer, "p1", 5).passages == (ONE,)


def test_text_alone_is_a_passage_and_rows_are_told_by_their_facts() -> None:
    assert passages("grey coat", "p1", 5).passages == (Passage("grey coat", ""),)
    assert passages({"context": "grey coat"}, "p1", 5).passages == (Passage("grey coat", ""),)
    row = {"c.name": "Rex", "c": {"age": 41, "id": "x", "embedding": [1, 2]}, "score": 3}
    assert passages([row], "p1", 5).passages == (Passage("c.name: Rex; age: 41", ""),)


def test_they_are_limited_by_number_score_and_sameness() -> None:
    answer = [{"content": f"text {number // 2}", "score": 1 - number / 10} for number in range(10)]
    assert [one.text for one in passages(answer, "p1", 3).passages] == ["text 0", "text 1", "text 2"]
    assert [one.text for one in passages(answer, "p1", 9, 0.75).passages] == ["text 0", "text 1"]
    assert passages([{"content": "x", "score": float("nan")}], "p1", 9, 0.1).passages == ()


@pytest.mark.parametrize(
    "item",
    [
        {"content": "x", "project_id": "p2"},
        {"content": "x", "projectId": 7},
        {"content": "x", "metadata": {"project_id": "p2"}},
        {"c": {"properties": {"project_id": "p2"}}},
        {"content": "x", "links": [{"project_id": "p2"}]},
        {"content": "x", "project_id": "P1"},
    ],
)
def test_what_belongs_to_another_project_is_left_out(item: Any) -> None:
    found = passages([item, {"content": "ours", "project_id": "p1"}], "p1", 5)
    assert ([one.text for one in found.passages], found.foreign) == (["ours"], 1)


def test_the_mark_of_our_own_documents_is_not_passed_on() -> None:
    text = "Rex in the rain\n[mediatask 0a4e4c6e-6c55-4a6c-9a53-6f9a8d4f1a11]"
    assert passages([text], "p1", 5).passages == (Passage("Rex in the rain", ""),)


@given(st.text())
def test_clean_text_may_stand_anywhere(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert not any(char in cleaned for char in "\x00\x1b\x9b\u202e\u2066\u200b\ufeff\r")
    assert clean(cleaned) == cleaned


def test_passages_are_joined_up_to_a_length() -> None:
    found = [Passage("a" * 10, "1"), Passage("b" * 10, "2"), Passage("c" * 10, "3")]
    assert joined(found, 100) == (f"{'a' * 10}\n{'b' * 10}\n{'c' * 10}", ["1", "2", "3"])
    assert joined(found, 15) == (f"{'a' * 10}\n{'b' * 4}", ["1", "2"])
    assert joined(found, 11) == ("a" * 10, ["1"])
    assert joined(found, 0) == ("", [])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "content", "results", "metadata", "project_id", "score", "x"]), inner)
    ),
    max_leaves=20,
)


@given(json_values)
def test_no_answer_breaks_it(answer: Any) -> None:
    found = passages(answer, "p1", 5)
    assert len(found.passages) <= 5
    assert all(one.text and len(one.source) <= 128 for one in found.passages)
    vector(answer)


def test_an_embedding_is_found_in_its_usual_forms() -> None:
    for answer in ([1, 0.5], {"embedding": [1, 0.5]}, {"result": {"embedding": [1, 0.5]}}, {"vector": [1, 0.5]}):
        assert vector(answer) == [1.0, 0.5]
    assert vector({"embedding": [float("nan")]}) is None
