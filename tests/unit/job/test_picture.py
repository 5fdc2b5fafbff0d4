"""Sizes, colours and files of pictures."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mediatask_job.outputs.provenance import Source
from mediatask_job.picture.palette import follow_palette
from mediatask_job.picture.save import SUFFIXES, Format, save_picture
from mediatask_job.picture.sizes import drawing_size, exactly

SIDES = st.integers(8, 512).map(lambda side: side * 8)


@given(width=SIDES, height=SIDES, native=st.none() | st.integers(64, 2048))
def test_drawing_sizes_are_on_the_grid_and_in_shape(width: int, height: int, native: int | None) -> None:
    drawn = drawing_size(width, height, native, 16)
    assert drawn[0] % 16 == drawn[1] % 16 == 0
    if native is None:
        assert width <= drawn[0] < width + 16
        assert height <= drawn[1] < height + 16
    else:
        wanted = native * (width / height) ** 0.5, native * (height / width) ** 0.5
        assert abs(drawn[0] - wanted[0]) <= 16
        assert abs(drawn[1] - wanted[1]) <= 16


@given(
    size=st.tuples(st.integers(16, 300), st.integers(16, 300)),
    wanted=st.tuples(st.integers(8, 300), st.integers(8, 300)),
)
def test_the_result_has_exactly_the_size(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert exactly(Image.new("RGB", size), *wanted).size == wanted


def test_the_palette_moves_towards_the_guide() -> None:
    dice = np.random.default_rng(0)
    picture = Image.fromarray(dice.integers(0, 256, (300, 200, 3), np.uint8))
    guide = Image.fromarray(np.clip(dice.normal((200, 60, 40), 25, (64, 64, 3)), 0, 255).astype(np.uint8))
    followed = np.asarray(follow_palette(picture, guide), float).reshape(-1, 3).mean(axis=0)
    target = np.asarray(guide, float).reshape(-1, 3).mean(axis=0)
    before = np.asarray(picture, float).reshape(-1, 3).mean(axis=0)
    assert np.abs(followed - target).sum() < 0.6 * np.abs(before - target).sum()


def test_a_picture_follows_itself_unchanged() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8))
    assert np.abs(np.asarray(follow_palette(picture, picture), int) - np.asarray(picture, int)).max() <= 1


@pytest.mark.parametrize("kind", SUFFIXES)
def test_files_say_what_they_are(tmp_path: Path, kind: Format) -> None:
    file = tmp_path / f"x{SUFFIXES[kind]}"
    save_picture(Image.new("RGB", (64, 64), "red"), file, kind, "ein Bär <&> \x0b und mehr" * 200, Source.TRAINED)
    with Image.open(file) as image:
        assert image.format == kind.upper()
        assert image.getexif()[0x0131] == "MediaTask"
        packet = image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode()
    text = "".join(ElementTree.fromstring(packet).itertext())
    assert b"digitalsourcetype/trainedAlgorithmicMedia" in packet
    assert "ein Bär <&>" in text
