"""The small picture in a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from mediatask_client.cli.terminal.viewer import preview


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    image = Image.new("RGB", (128, 64), (255, 0, 0))
    image.paste((0, 0, 255), (0, 32, 128, 64))
    image.save(tmp_path / "p.png")
    return tmp_path / "p.png"


def test_two_pixels_to_a_character(picture: Path) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="truecolor", width=100)
    assert preview(console, picture)
    rows = out.getvalue().splitlines()
    assert [row.count("▀") for row in rows] == [64] * 16
    assert "38;2;255;0;0" in rows[0]
    assert "38;2;0;0;255" in rows[-1]


def test_only_pictures_and_only_where_colours_are(picture: Path, tmp_path: Path) -> None:
    assert not preview(Console(file=io.StringIO()), picture)
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor")
    assert not preview(console, tmp_path / "film.mp4")
