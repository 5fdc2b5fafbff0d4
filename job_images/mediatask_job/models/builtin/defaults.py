"""What a model does best, used where neither the task nor the class says otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Defaults:
    """None leaves it to the pipeline, or to the request."""

    native_size: int | None = None
    """Side in pixels of the square whose area suits the model."""
    native_fps: int | None = None
    """Frames per second the model draws."""
    steps: int | None = None
    guidance_scale: float | None = None
