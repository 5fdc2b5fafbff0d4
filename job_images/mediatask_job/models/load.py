"""Loading a diffusers pipeline from a local folder: allow-listed classes, safetensors only, no code from the model.

A folder may hold an up-scaler of its own in `upscaler/`: an AutoencoderTiny whose decoder takes a small picture for
its latent and gives it back at twice the size.
"""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import diffusers
import torch

from mediatask_crds.model import ModelSource

from ..failures import ModelMissing
from .quiet import silence
from .source import ModelFolder

PIPELINES = frozenset(
    {
        "Flux2KleinPipeline",
        "QwenImagePipeline",
        "StableDiffusionPipeline",
        "StableDiffusionXLPipeline",
        "WanPipeline",
        "ZImagePipeline",
    }
)
"""Pipeline classes that may be loaded: those whose call this runtime knows how to make."""

_UPSCALER = "upscaler"

Rung = Literal["whole", "vae-tiling", "model-offload"]
"""How much memory is traded for time; see `ladder`."""


@dataclass(frozen=True)
class Loaded:
    """A pipeline that is ready to be called."""

    pipeline: Any
    folder: ModelFolder
    device: str
    dtype: str
    rung: Rung
    upscaler: Any | None = None
    """Doubles a picture's size; see above."""

    def accepts(self, argument: str) -> bool:
        """Whether this pipeline's call knows the argument; models differ in what they can honour."""
        return argument in inspect.signature(self.pipeline.__call__).parameters

    def default(self, argument: str) -> Any:
        """The default of an argument of the pipeline's call."""
        return inspect.signature(self.pipeline.__call__).parameters[argument].default


def load(folder: ModelFolder, source: ModelSource, rung: Rung) -> Loaded:
    """Load the model for one rung.

    Raises:
        ModelMissing: incomplete, not of an allowed class, or not loadable without running its code.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = source.dtype or ("bfloat16" if device == "cuda" else "float32")
    kind = _pipeline_class(folder, source)
    silence()
    options = {"dtype": getattr(torch, dtype), "local_files_only": True, "use_safetensors": True}
    upscaler = None
    try:
        pipeline = getattr(diffusers, kind).from_pretrained(folder.path, **options)
        if (folder.path / _UPSCALER).is_dir():
            upscaler = diffusers.AutoencoderTiny.from_pretrained(folder.path / _UPSCALER, **options).to(device)
    except (OSError, ValueError) as error:
        raise ModelMissing("ModelUnusable", f"{folder.name} in {folder.path} cannot be loaded: {error}") from error
    pipeline.set_progress_bar_config(disable=True)
    if rung != "whole":
        pipeline.vae.enable_slicing()
        pipeline.vae.enable_tiling()
    # Offload moves parts to the GPU by itself, and only from a pipeline that is not there yet.
    if rung == "model-offload":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.to(device)
    return Loaded(pipeline, folder, device, dtype, rung, upscaler)


def _pipeline_class(folder: ModelFolder, source: ModelSource) -> str:
    """The class to load, after a look at everything the index would import."""
    index = _index(folder.path)
    kind = source.pipeline or str(index.get("_class_name"))
    if kind not in PIPELINES:
        raise ModelMissing(
            "PipelineNotAllowed", f"{folder.name} is a {kind}; allowed are {', '.join(sorted(PIPELINES))}"
        )
    for part, value in index.items():
        # A part is [library, class]. Any other library would be a module that comes with the model.
        if isinstance(value, list) and value[:1] not in (["diffusers"], ["transformers"], [None]):
            raise ModelMissing("PipelineNotAllowed", f"{folder.name}: its {part} wants code of its own")
    return kind


def _index(path: Path) -> dict[str, Any]:
    try:
        index = json.loads((path / "model_index.json").read_text())
    except (OSError, ValueError) as error:
        raise ModelMissing(
            "ModelMissing", f"{path} holds no diffusers pipeline: model_index.json is missing or damaged"
        ) from error
    if not isinstance(index, dict):
        raise ModelMissing("ModelMissing", f"{path}/model_index.json is not an object")
    return index
