"""What is to be filmed: size, rate and length. Pure, and known before any work starts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """Sides are even numbers of pixels."""

    width: int
    height: int
    fps: int
    frames: int

    @classmethod
    def lasting(cls, seconds: float, fps: int, width: int, height: int) -> Form:
        """A clip of about this length; it has at least one frame."""
        return cls(width, height, fps, max(round(seconds * fps), 1))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height

    @property
    def seconds(self) -> float:
        return self.frames / self.fps

    @property
    def pixels(self) -> int:
        """Pixels of all frames together, the measure of the work to be done."""
        return self.width * self.height * self.frames
