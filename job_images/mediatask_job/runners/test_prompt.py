"""`test_prompt`: fill a template, run it through a text model, answer as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from mediatask_crds.base import Resource
from mediatask_crds.tasktypes.test_prompt import TestPrompt
from mediatask_crds.template import fill

from ..context import Context, Output, OutputFile
from ..failures import InvalidInput
from ..models import READY
from ..outputs.facts import facts, seed_from
from ..text.builtin import BuiltinText
from ..text.model import Completion, TextModel

_EXCERPT = 4000


class PromptSettings(Resource):
    """The class's parameters."""

    max_tokens: Annotated[int, Field(ge=1, le=8192)] = 256
    """Longest answer, in the model's tokens."""


def run(ctx: Context[TestPrompt]) -> Output:
    """Fill, complete, write."""
    data = ctx.data
    settings = ctx.settings(PromptSettings)
    try:
        prompt = fill(data.prompt_template, data.test_parameters)
    except LookupError as error:
        raise InvalidInput("MissingParameter", str(error)) from None
    seed = seed_from(prompt)

    def complete(model: TextModel) -> Answer:
        ctx.check_stop()
        ctx.progress("running_prompt", READY)
        started = time.perf_counter()
        completion = model.complete(prompt, seed, settings.max_tokens)
        return Answer(completion, time.perf_counter() - started, _facts(model, seed))

    answer = _answered(ctx, complete)
    completion = answer.completion
    made = {
        "processing_time": round(answer.seconds, 6),
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
        file.write_text(json.dumps(made | {"model": answer.facts["model"]}, ensure_ascii=False, indent=2), "utf-8")
    output = {"output_data": _excerpt(completion.text, prompt, ctx.warnings), "file_size": file.stat().st_size}
    return Output([OutputFile(file, "application/json")], answer.facts | made | output)


def _excerpt(text: str, prompt: str, warnings: list[str]) -> dict[str, str]:
    """What of the answer fits into metadata, which is for facts and takes no NUL; the file has all of it."""
    if max(len(text), len(prompt)) > _EXCERPT:
        warnings.append(f"metadata has the first {_EXCERPT} characters of the texts in output_data; the file has all")
    return {"text": text[:_EXCERPT].replace("\0", ""), "prompt": prompt[:_EXCERPT]}


@dataclass(frozen=True)
class Answer:
    completion: Completion
    seconds: float
    facts: dict[str, Any]


def _answered(ctx: Context[TestPrompt], complete: Callable[[TextModel], Answer]) -> Answer:
    """By the class's model, or the builtin one where the class names none."""
    source = ctx.spec.model
    if source is None or source.builtin == BuiltinText.name:
        with ctx.timings.stage("infer"):
            return complete(BuiltinText())
    return ctx.models.infer_text(complete)


def _facts(model: TextModel, seed: int) -> dict[str, Any]:
    return facts(
        seed=seed,
        model=model.name,
        revision=model.revision,
        dtype=model.dtype,
        device=model.device,
        libraries=() if isinstance(model, BuiltinText) else ("torch", "transformers"),
    )
