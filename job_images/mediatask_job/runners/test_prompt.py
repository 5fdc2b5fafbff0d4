"""`test_prompt`: fill a template, run it through a text model, answer as JSON."""

from __future__ import annotations

import json
import time
from typing import Annotated

from pydantic import Field

from mediatask_crds.base import Resource
from mediatask_crds.tasktypes.test_prompt import TestPrompt

from ..context import Context, Output, OutputFile
from ..outputs.facts import facts, seed_from
from ..text.builtin import BuiltinText
from ..text.model import TextModel
from ..text.template import fill


class PromptSettings(Resource):
    """The class's parameters."""

    max_tokens: Annotated[int, Field(ge=1, le=8192)] = 256
    """Longest answer, in the model's tokens."""


def run(ctx: Context[TestPrompt]) -> Output:
    """Fill, complete, write."""
    data = ctx.data
    settings = ctx.settings(PromptSettings)
    prompt = fill(data.prompt_template, data.test_parameters)
    ctx.progress("loading_model", 0.1)
    model = _model(ctx)
    ctx.check_stop()
    ctx.progress("running_prompt", 0.3)
    started = time.perf_counter()
    seed = seed_from(prompt)
    with ctx.timings.stage("infer"):
        completion = model.complete(prompt, seed, settings.max_tokens)
    made = {
        "processing_time": round(time.perf_counter() - started, 6),
        "tokens_used": completion.prompt_tokens + completion.completion_tokens,
        "output_data": {"text": completion.text, "prompt": prompt},
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
    } | {
        name: value
        for name in ("prompt_id", "agent_type", "test_result_id")
        if (value := getattr(data, name)) is not None
    }
    file = ctx.work / "prompt.json"
    with ctx.timings.stage("encode"):
        file.write_text(json.dumps(made | {"model": model.name}, ensure_ascii=False, indent=2), "utf-8")
    libraries = () if isinstance(model, BuiltinText) else ("torch", "transformers")
    shared = facts(
        seed=seed,
        model=model.name,
        revision=model.revision,
        dtype=model.dtype,
        device=model.device,
        libraries=libraries,
    )
    return Output([OutputFile(file, "application/json")], shared | made | {"file_size": file.stat().st_size})


def _model(ctx: Context[TestPrompt]) -> TextModel:
    """The class's model, or the builtin one where the class names none."""
    source = ctx.spec.model
    if source is None or source.builtin == BuiltinText.name:
        return BuiltinText()
    folder = ctx.models.folder()
    with ctx.timings.stage("load"):
        from ..text.transformer import TransformerText

        return TransformerText(folder, source.dtype)
