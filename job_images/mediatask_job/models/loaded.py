"""A diffusers pipeline that is ready to be called, and the one way it is called."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..failures import UnsafeContent
from ..outputs.facts import facts
from .adapters import Adapter
from .ladder import Rung
from .source import ModelFolder


@dataclass(frozen=True)
class Sampling:
    """How a picture or clip is drawn, with every default resolved."""

    steps: int
    guidance: float | None
    """None: the pipeline's own."""

    @property
    def hears_negatives(self) -> bool:
        """Turbo models run with guidance 0 or 1, where a negative prompt has no effect."""
        return self.guidance is None or self.guidance > 1


@dataclass(frozen=True)
class Loaded:
    pipeline: Any
    adapter: Adapter
    folder: ModelFolder
    device: str
    dtype: str
    rung: Rung
    upscaler: Any | None = None
    """Doubles a picture's size; see `load`."""

    @property
    def grid(self) -> int:
        """Pixels of which every side has to be a multiple."""
        return self.adapter.grid(self.pipeline)

    def accepts(self, argument: str) -> bool:
        """Whether this pipeline's call knows the argument; models differ in what they can honour."""
        return argument in inspect.signature(self.pipeline.__call__).parameters

    def sampling(self, steps: int | None, guidance: float | None) -> Sampling:
        """What task or class want, else what the model does best, else the pipeline's default."""
        known = self.folder.defaults
        default = inspect.signature(self.pipeline.__call__).parameters["num_inference_steps"].default
        return Sampling(steps or known.steps or int(default), known.guidance_scale if guidance is None else guidance)

    def draw(
        self,
        prompt: str,
        size: tuple[int, int],
        seed: int,
        sampling: Sampling,
        on_step: Callable[[int, torch.Tensor], None],
        **more: Any,
    ) -> Any:
        """The pipeline's output for one prompt; `on_step` gets the number of steps that are done, and the latents.

        Raises:
            UnsafeContent: the model's own content check says so.
        """

        def after(_pipe: Any, step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            on_step(step + 1, tensors["latents"])
            return tensors

        arguments = dict(self.adapter.arguments) | more
        if sampling.guidance is not None:
            arguments[self.adapter.guidance] = sampling.guidance
        output = self.pipeline(
            prompt=prompt,
            width=size[0],
            height=size[1],
            num_inference_steps=sampling.steps,
            # A fresh generator on the CPU: the same noise whatever the device, and for each picture alone.
            generator=torch.Generator("cpu").manual_seed(seed),
            callback_on_step_end=after,
            **arguments,
        )
        if any(getattr(output, "nsfw_content_detected", None) or ()):
            raise UnsafeContent("UnsafeContent", f"the content check of {self.folder.name} refuses what was drawn")
        return output

    def unknown_words(self, text: str) -> list[str]:
        """Words that the model cannot know, for one whose vocabulary is a list of whole words."""
        tokenizer: Any = getattr(self.pipeline, "tokenizer", None)
        if type(getattr(getattr(tokenizer, "backend_tokenizer", None), "model", None)).__name__ != "WordLevel":
            return []
        words = dict.fromkeys(re.findall(r"[^\W_]+", text.lower()))
        return [word for word in words if tokenizer.tokenize(word) == [tokenizer.unk_token]]

    def facts(self, seed: int, sampling: Sampling) -> dict[str, Any]:
        """The shared metadata of everything that a diffusion pipeline makes."""
        return facts(
            seed=seed,
            model=self.folder.name,
            revision=self.folder.revision,
            dtype=self.dtype,
            device=self.device,
            steps=sampling.steps,
            libraries=("diffusers", "torch", "transformers"),
        ) | {"rung": self.rung}
