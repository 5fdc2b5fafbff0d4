"""Only plain, small JPEGs pass for previews."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from mediatask_api.pods.previews import INTERVAL_SECONDS, checked
from mediatask_api.pods.throttle import Throttle
from mediatask_crds.podcontract import PREVIEW_BYTES


def jpeg(size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    content = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(content, "JPEG", **options)
    return content.getvalue()


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True, "quality": 20}, {"subsampling": 0}])
def test_what_pillow_writes_passes(options: dict[str, Any]) -> None:
    assert checked(encoded(jpeg(**options)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<script>",
        jpeg()[:-2],
        jpeg()[:100],
        jpeg() + b"<script>",
        jpeg(comment=b"<script>"),
        jpeg(exif=Image.Exif().tobytes() + b"x"),
        jpeg((513, 8)),
        jpeg((8, 513)),
        jpeg((500, 500), quality=100),
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" + b"\xff\xda\x00\x02" + b"\xff\xd9",
        b"\x89PNG\r\n",
    ],
)
def test_everything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"JPEG|bytes|pixels|frame"):
        checked(encoded(content))


def test_no_part_of_a_jpeg_passes_for_one() -> None:
    whole = jpeg()
    for end in range(len(whole)):
        with pytest.raises(ValueError, match=r"JPEG|frame"):
            checked(encoded(whole[:end]))


def test_what_is_not_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="base64"):
        checked("%%%")


def test_previews_of_one_pod_are_throttled_and_those_of_others_are_not() -> None:
    throttle = Throttle()
    assert throttle.allows("a", INTERVAL_SECONDS)
    assert not throttle.allows("a", INTERVAL_SECONDS)
    assert throttle.allows("b", INTERVAL_SECONDS)
    assert PREVIEW_BYTES <= 64 * 1024
