"""Templates and text models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_crds.template import fill
from mediatask_job.text.builtin import BuiltinText
from mediatask_job.text.model import tokens

PROMPT = "Create a detective named Morgan. Morgan walks through the rain. The city sleeps."


def test_names_paths_items_and_objects() -> None:
    parameters = {"a": "x", "b": {"c": [1, {"d": True}]}, "flat.key": "f", "n": None}
    assert fill("{{a}} {{ b.c.0 }} {{b.c.1.d}} {{b.c}} {{flat.key}} {{n}}", parameters) == (
        'x 1 true [1, {"d": true}] f null'
    )


@pytest.mark.parametrize(
    "template", ["{{x}}", "{{a.b}}", "{{a.0}}", "{{l.9}}", "{{}}", "{{a|upper}}", "{{ __class__ }}"]
)
def test_missing_values_are_named(template: str) -> None:
    with pytest.raises(LookupError) as failure:
        fill(template, {"a": "x", "l": []})
    assert template.strip("{} ") in str(failure.value)


def test_values_are_not_templates() -> None:
    assert fill("{{a}}", {"a": "{{b}}", "b": "secret"}) == "{{b}}"


@given(st.text())
def test_a_text_without_placeholders_stays(text: str) -> None:
    if "{{" not in text:
        assert fill(text, {}) == text


@given(prompt=st.text(max_size=400), seed=st.integers(0, 2**32), most=st.integers(1, 60))
def test_the_builtin_model_repeats_itself_and_keeps_to_its_limit(prompt: str, seed: int, most: int) -> None:
    first = BuiltinText().complete(prompt, seed, most)
    assert first == BuiltinText().complete(prompt, seed, most)
    assert first.completion_tokens == len(tokens(first.text)) <= most


def test_the_builtin_model_speaks_of_the_prompt() -> None:
    text = BuiltinText().complete(PROMPT, 1, 100).text
    assert "Morgan" in text
    assert {word.lower() for word in tokens(text)} <= {word.lower() for word in tokens(PROMPT)}


def test_the_result_is_json_with_what_was_asked(run: Any, store: Any) -> None:
    data = {
        "prompt_template": "Describe {{who}} at night.",
        "test_parameters": {"who": "Morgan"},
        "prompt_id": "p1",
        "agent_type": "character_creator",
        "test_result_id": "r1",
    }
    ended = run("test_prompt", data)
    assert ended.code == 0, ended.log
    [content] = store.objects.values()
    answer, metadata = json.loads(content), ended.words.result.metadata
    assert answer["output_data"]["prompt"] == "Describe Morgan at night."
    assert metadata["tokens_used"] == metadata["prompt_tokens"] + metadata["completion_tokens"] > 0
    assert metadata["model"] == answer["model"] == "builtin-text"
    echoed = {"prompt_id": "p1", "agent_type": "character_creator", "test_result_id": "r1"}
    assert echoed.items() <= answer.items()
    assert metadata["processing_time"] >= 0


@pytest.fixture
def language_model(tmp_path: Path) -> str:
    """A model of random weights: its words have no sense, but they come from it."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from mediatask_job.models.builtin.tokenizer import byte_tokenizer

    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "head_dim": 8}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": len(tokenizer)}
    Qwen3ForCausalLM(Qwen3Config(**sizes, **heads)).save_pretrained(tmp_path / "llm")
    tokenizer.save_pretrained(tmp_path / "llm")
    return str(tmp_path / "llm")


def test_a_language_model_from_a_folder(run: Any, language_model: str) -> None:
    ended = run(
        "test_prompt",
        {"prompt_template": "Say {{x}}", "test_parameters": {"x": "hello"}},
        model={"path": language_model},
        parameters={"maxTokens": 12},
    )
    assert ended.code == 0, ended.log
    metadata = ended.words.result.metadata
    assert metadata["model"] == "llm"
    assert metadata["prompt_tokens"] > 9
    assert 0 < metadata["completion_tokens"] <= 12


def test_a_language_model_that_does_not_fit_into_gpu_memory(run: Any, language_model: str) -> None:
    full = (
        "import torch, mediatask_job.text.transformer as t\n"
        "def complete(*_): raise RuntimeError('CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate')\n"
        "t.TransformerText.complete = complete"
    )
    ended = run("test_prompt", {"prompt_template": "Say hello"}, model={"path": language_model}, setup=full)
    assert ended.code == 20, ended.log
    assert "llm does not fit" in ended.words.error.message
