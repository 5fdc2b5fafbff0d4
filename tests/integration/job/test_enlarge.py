"""Pictures of a small model at any size, and the model's files as they were shipped."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mediatask_crds.model import ModelSource
from mediatask_job.failures import ModelMissing
from mediatask_job.models.builtin.shipped import verified
from mediatask_job.models.load import load
from mediatask_job.models.loaded import Loaded
from mediatask_job.models.source import locate
from mediatask_job.picture.enlarge import doublings, enlarged

SIDES = st.integers(64, 4096)


@pytest.fixture(scope="module")
def demo() -> Loaded:
    source = ModelSource(builtin="demo-image")
    return load(locate(source, Path("/nowhere"), Path("/nowhere")), source, "whole", lambda _: None)


@given(st.tuples(SIDES, SIDES), SIDES, SIDES)
def test_doubled_as_often_as_needed_and_no_more(size: tuple[int, int], width: int, height: int) -> None:
    count = doublings(size, width, height)
    missing = max(width / size[0], height / size[1])
    assert missing / 2**count <= 1.25
    assert count == 0 or missing / 2 ** (count - 1) > 1.25


def test_strips_meet_without_a_seam(demo: Loaded) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 24, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((192, 320), Image.Resampling.BICUBIC)
    in_strips = np.asarray(enlarged(picture, demo.upscaler, 384, 640, lambda: None), float)
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        at_once = (demo.upscaler.decode(pixels).sample[0].clamp(-1, 1).permute(1, 2, 0).numpy() + 1) * 127.5  # type: ignore[union-attr]
    assert in_strips.shape == (640, 384, 3)
    assert np.abs(in_strips - at_once).max() < 1


def test_a_picture_that_is_large_enough_is_left_alone(demo: Loaded) -> None:
    picture = Image.linear_gradient("L").convert("RGB")
    assert enlarged(picture, demo.upscaler, 300, 200, lambda: None).size == picture.size


def test_a_damaged_or_missing_file_is_told(demo: Loaded, tmp_path: Path) -> None:
    folder = tmp_path / "demo-image"
    shutil.copytree(demo.folder.path, folder)
    assert verified(folder) == demo.folder.revision
    with (folder / "unet" / "config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(ModelMissing, match="is not the file that was shipped"):
        verified(folder)
    (folder / "unet" / "config.json").unlink()
    with pytest.raises(ModelMissing, match="not complete"):
        verified(folder)
