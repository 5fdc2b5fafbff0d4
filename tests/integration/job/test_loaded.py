"""How the allow-listed pipelines are called, and what loading one tells on its way."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import pytest

from mediatask_crds.model import ModelSource
from mediatask_job.models.adapters import ADAPTERS
from mediatask_job.models.builtin.defaults import Defaults
from mediatask_job.models.load import load
from mediatask_job.models.loaded import Loaded, Sampling
from mediatask_job.models.source import ModelFolder, locate


class Recorder:
    """A pipeline that keeps what it is called with."""

    def __init__(self) -> None:
        self.called: dict[str, Any] = {}

    def __call__(self, num_inference_steps: int = 50, **arguments: Any) -> Any:
        self.called = arguments | {"num_inference_steps": num_inference_steps}
        return SimpleNamespace(images=[])


def loaded(kind: str, defaults: Defaults | None = None) -> Loaded:
    folder = ModelFolder(Path("/m"), "m", None, defaults or Defaults())
    return Loaded(Recorder(), ADAPTERS[kind], folder, "cpu", "float32", "whole")


@pytest.mark.parametrize("kind", sorted(ADAPTERS))
def test_every_pipeline_takes_what_its_adapter_gives(kind: str) -> None:
    """The installed diffusers may have renamed an argument."""
    import inspect

    model = loaded(kind)
    model.draw("x", (64, 64), 1, Sampling(4, 2.0), lambda *_: None)
    known = inspect.signature(getattr(diffusers, kind).__call__).parameters
    assert set(model.pipeline.called) <= set(known)


def test_guidance_goes_where_the_pipeline_looks_for_it() -> None:
    qwen, plain = loaded("QwenImagePipeline"), loaded("ZImagePipeline")
    for model in (qwen, plain):
        model.draw("x", (64, 64), 1, Sampling(4, 2.0), lambda *_: None)
    assert qwen.pipeline.called["true_cfg_scale"] == 2.0
    assert qwen.pipeline.called["negative_prompt"] == " "
    assert plain.pipeline.called["guidance_scale"] == 2.0


def test_steps_and_guidance_are_resolved_in_order() -> None:
    known = loaded("ZImagePipeline", Defaults(steps=9, guidance_scale=0.0))
    assert known.sampling(3, 5.0) == Sampling(3, 5.0)
    assert known.sampling(None, None) == Sampling(9, 0.0)
    assert loaded("ZImagePipeline").sampling(None, None) == Sampling(50, None)


@pytest.mark.parametrize(
    ("kind", "factors", "grid"),
    [
        ("StableDiffusionPipeline", {"vae_scale_factor": 8}, 32),
        ("ZImagePipeline", {"vae_scale_factor": 8}, 16),
        ("WanPipeline", {"vae_scale_factor_spatial": 16, "vae_scale_factor_temporal": 4}, 32),
    ],
)
def test_the_grid_is_the_pipelines_own(kind: str, factors: dict[str, int], grid: int) -> None:
    assert ADAPTERS[kind].grid(SimpleNamespace(**factors)) == grid


def test_loading_says_how_far_it_is_and_knows_its_words() -> None:
    source, told = ModelSource(builtin="demo-image"), list[float]()
    demo = load(locate(source, Path("/nowhere"), Path("/nowhere")), source, "whole", told.append)
    assert len(told) > 2
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert demo.grid == 16
    assert demo.unknown_words("A cat, a Chair and a white HOUSE by_the sea") == ["cat", "chair"]
