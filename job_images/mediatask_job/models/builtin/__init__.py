"""Models that need no weights from outside.

`tiny-image` and `tiny-video` are real pipelines with random weights, built from their configurations on first use:
all the code of a big model in seconds, without its sense.
"""

from __future__ import annotations

from .builder import Built
from .defaults import Defaults

__all__ = ["BUILTINS", "Defaults"]

BUILTINS = {
    "tiny-image": Built("tiny-image", "tiny_image", Defaults(native_size=256, steps=4, guidance_scale=0.0)),
    "tiny-video": Built("tiny-video", "tiny_video", Defaults(native_size=160, steps=4, native_fps=8)),
}
