"""The model in the package: it is whole, loads with nothing custom, and its pictures follow their prompts."""

from __future__ import annotations

import hashlib
import importlib.resources
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderTiny, DiffusionPipeline
from torch import Tensor

from demo_model.paint import enlarge, load, paint

MODEL = Path(str(importlib.resources.files("mediatask_job"))) / "assets" / "demo-image"
PLACES = ("in the city", "by the sea")


@pytest.fixture(scope="module")
def pipeline() -> DiffusionPipeline:
    return load(MODEL)


def painted(pipeline: DiffusionPipeline, words: str) -> Tensor:
    return paint(pipeline, [f"{words} {place}" for place in PLACES], list(range(len(PLACES))))


def test_every_file_is_the_one_that_was_trained() -> None:
    listed = dict(reversed(line.split("  ")) for line in (MODEL / "SHA256SUMS").read_text().splitlines())
    found = {
        path.relative_to(MODEL).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in MODEL.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }
    assert found == listed
    assert sum(path.stat().st_size for path in MODEL.rglob("*")) < 20_500_000


def test_night_is_darker_than_day(pipeline: DiffusionPipeline) -> None:
    assert painted(pipeline, "a house at night").mean() < painted(pipeline, "a house by day").mean() - 0.3


def test_snow_is_whiter_than_rain(pipeline: DiffusionPipeline) -> None:
    assert painted(pipeline, "a car by day in the snow").mean() > painted(pipeline, "a car by day in the rain").mean()


def test_noir_is_black_and_white(pipeline: DiffusionPipeline) -> None:
    def colourfulness(pictures: Tensor) -> Tensor:
        return (pictures.amax(1) - pictures.amin(1)).mean()

    noir, plain = painted(pipeline, "detective, film noir"), painted(pipeline, "detective in a red coat, day")
    assert colourfulness(noir) < 0.25 * colourfulness(plain)


def test_equal_seeds_give_equal_bytes(pipeline: DiffusionPipeline) -> None:
    first, again, other = (paint(pipeline, ["a red car in the city"], [seed]) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_up_scaler_keeps_the_picture(pipeline: DiffusionPipeline) -> None:
    upscaler = AutoencoderTiny.from_pretrained(MODEL / "upscaler", local_files_only=True)
    small = paint(pipeline, ["a lighthouse by the sea, clear day"], [3])
    large = enlarge(upscaler, small, 2)
    assert large.shape == (1, 3, 512, 512)
    assert (torch.nn.functional.avg_pool2d(large, 4) - small).abs().mean() < 0.06
