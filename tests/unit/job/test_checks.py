"""The check of finished media that comes with the job image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageOps

from mediatask_crds.taskclass import OutputCheck
from mediatask_job.checks import verdict
from mediatask_job.checks.known_pictures import difference_hash
from mediatask_job.context import OutputFile
from mediatask_job.failures import InvalidInput


def scene(seed: int) -> Image.Image:
    picture = Image.radial_gradient("L").resize((320, 240)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for number in range(6):
        x, y = (seed * 97 + number * 53) % 280, (seed * 31 + number * 71) % 200
        draw.rectangle((x, y, x + 60, y + 50), fill=((seed * 40 + number * 37) % 256, 60, 200 - number * 30))
    return picture


def judged(picture: Image.Image, folder: Path, suffix: str = "jpeg", **parameters: Any) -> Any:
    file = folder / f"image.{suffix}"
    picture.save(file)
    settings = OutputCheck(name="known_pictures", model="list-7", parameters=parameters)
    return verdict([OutputFile(file, f"image/{suffix}")], settings)


KNOWN = f"{difference_hash(scene(1)):016x}"


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture,
        lambda picture: picture.resize((97, 73)),
        lambda picture: ImageOps.mirror(picture),
        lambda picture: ImageOps.autocontrast(picture.convert("L")),
        lambda picture: picture.quantize(16).convert("RGB"),
    ],
)
def test_copies_of_a_listed_picture_are_held(change: Any, tmp_path: Path) -> None:
    found = judged(change(scene(1)), tmp_path, hashes=[KNOWN])
    assert (found.decision, found.reason, found.model) == ("hold", "KnownPicture", "list-7")


@pytest.mark.parametrize("seed", range(2, 12))
def test_other_pictures_pass(seed: int, tmp_path: Path) -> None:
    found = judged(scene(seed), tmp_path, "png", hashes=[KNOWN])
    assert found.decision == "pass", found


def test_what_cannot_be_seen_is_held(tmp_path: Path) -> None:
    assert judged(Image.new("RGB", (64, 64), "navy"), tmp_path).reason == "BlankPicture"
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n no picture")
    settings = OutputCheck(name="known_pictures")
    for kind in ("image/png", "video/mp4", "audio/mpeg"):
        found = verdict([OutputFile(broken, kind)], settings)
        assert (found.decision, found.reason) == ("hold", "UnreadablePicture")


def test_impossible_settings_are_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no check"):
        verdict([], OutputCheck(name="no_such_check"))
    with pytest.raises(InvalidInput, match="known_pictures"):
        judged(scene(1), tmp_path, hashes=["x"])
