"""Loading a diffusers pipeline from a local folder: allow-listed classes, safetensors only, no code from the model.

A folder may hold an up-scaler of its own in `upscaler/`: an AutoencoderTiny whose decoder takes a small picture for
its latent and returns it at twice the size.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mediatask_crds.model import ModelSource

from ..failures import ModelMissing
from .adapters import ADAPTERS, Adapter
from .ladder import Rung
from .libraries import diffusers, torch
from .loaded import Loaded
from .quiet import silence
from .source import ModelFolder

_UPSCALER = "upscaler"
_LIBRARIES = ("diffusers", "transformers")
_PARTS_FROM = (*([library] for library in _LIBRARIES), [None])
_CHECKER = ["stable_diffusion", "StableDiffusionSafetyChecker"]
"""The index of a Stable Diffusion model names its content check by a module of diffusers itself."""


def import_classes(folder: ModelFolder, source: ModelSource) -> None:
    """Import what `load` will need: the libraries import their classes at first use, which takes longer than loading.

    Raises:
        ModelMissing: as `load`.
    """
    index = _index(folder.path)
    getattr(diffusers, _allowed(index, folder, source))
    for value in index.values():
        if isinstance(value, list) and value[0] in _LIBRARIES:
            _class(*value)


def load(folder: ModelFolder, source: ModelSource, rung: Rung, on_fraction: Callable[[float], None]) -> Loaded:
    """Load the model for one rung; `on_fraction` is told how much of it is in memory, 0..1.

    Raises:
        ModelMissing: incomplete, not of an allowed class, or not loadable without running its code.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = source.dtype or ("bfloat16" if device == "cuda" else "float32")
    index = _index(folder.path)
    kind = _allowed(index, folder, source)
    adapter = ADAPTERS[kind]
    silence()
    upscaler = None
    try:
        parts = _parts(folder.path, index, adapter, dtype, on_fraction)
        pipeline = getattr(diffusers, kind).from_pretrained(folder.path, **parts, **_options(dtype))
        if (folder.path / _UPSCALER).is_dir():
            upscaler = diffusers.AutoencoderTiny.from_pretrained(folder.path / _UPSCALER, **_options(dtype)).to(device)
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
    return Loaded(pipeline, adapter, folder, device, dtype, rung, upscaler)


def _options(dtype: str) -> dict[str, Any]:
    return {"dtype": getattr(torch, dtype), "local_files_only": True, "use_safetensors": True}


def _parts(
    path: Path, index: dict[str, Any], adapter: Adapter, dtype: str, on_fraction: Callable[[float], None]
) -> dict[str, Any]:
    """The parts with weights, one after another: large models take minutes, and progress is to move."""
    sizes = {name: sum(file.stat().st_size for file in (path / name).glob("*.safetensors")) for name in index}
    weighty = [name for name, size in sizes.items() if size and isinstance(index[name], list)]
    total, done = sum(sizes[name] for name in weighty), 0
    loaded = {}
    for name in weighty:
        library, kind = index[name]
        if library in _LIBRARIES:
            loaded[name] = _class(library, kind).from_pretrained(
                path / name, **_options(adapter.dtypes.get(name, dtype))
            )
        done += sizes[name]
        on_fraction(done / total)
    return loaded


def _class(library: str, kind: str) -> Any:
    try:
        return getattr(importlib.import_module(library), kind)
    except AttributeError as error:
        raise ModelMissing("ModelUnusable", f"the installed {library} has no {kind}") from error


def _allowed(index: dict[str, Any], folder: ModelFolder, source: ModelSource) -> str:
    """The class to load, after a look at everything that the index would import."""
    kind = source.pipeline or str(index.get("_class_name"))
    if kind not in ADAPTERS:
        raise ModelMissing(
            "PipelineNotAllowed", f"{folder.name} is a {kind}; allowed are {', '.join(sorted(ADAPTERS))}"
        )
    for part, value in index.items():
        # A part is [library, class]. Any other library would be a module that comes with the model.
        if isinstance(value, list) and value != _CHECKER and value[:1] not in (["diffusers"], ["transformers"], [None]):
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
