"""Models that need no weights from outside.

`demo-image` comes with the package, trained on drawings (docs/demo-model.md): pictures that follow their prompt.
`tiny-image` and `tiny-video` are real pipelines with random weights, built from their configurations on first use:
all the code of a big model in seconds, without its sense.
"""

from __future__ import annotations

from .builder import Built
from .defaults import Defaults
from .shipped import Shipped

__all__ = ["BUILTINS", "Defaults"]

BUILTINS: dict[str, Built | Shipped] = {
    "demo-image": Shipped("demo-image", Defaults(native_size=128, steps=24, guidance_scale=3.0)),
    "tiny-image": Built("tiny-image", "tiny_image", Defaults(native_size=256, steps=4, guidance_scale=0.0)),
    "tiny-video": Built("tiny-video", "tiny_video", Defaults(native_size=160, steps=4, native_fps=8)),
}
