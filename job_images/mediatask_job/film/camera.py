"""Camera moves over a still: where the frame lies on it at each moment. Pure geometry."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from .planes import Affine, Box, Size


@dataclass(frozen=True)
class Framing:
    """A part of the still, in the film's shape."""

    zoom: float = 1.0
    """1 is the largest frame that fits; 2 shows half the width."""
    x: float = 0.0
    """-1 left edge .. 1 right edge of the room that the zoom leaves."""
    y: float = 0.0
    """-1 top .. 1 bottom."""
    roll: float = 0.0
    """Degrees, clockwise. Needs a zoom that leaves room for the corners."""


@dataclass(frozen=True)
class Move:
    start: Framing
    end: Framing
    shake: float = 0.0
    """Amplitude of a hand-held camera's sway, as a part of the room."""

    @property
    def closest(self) -> float:
        """The largest zoom of the move."""
        return max(self.start.zoom, self.end.zoom)

    def at(self, moment: float) -> Framing:
        """The framing at 0..1 of the shot, with a soft start and stop."""
        eased = moment * moment * (3 - 2 * moment)
        sway = self.shake * math.sin(moment * 23.0), self.shake * math.sin(moment * 31.0 + 1.0)
        return Framing(
            zoom=_between(self.start.zoom, self.end.zoom, eased),
            x=max(-1.0, min(1.0, _between(self.start.x, self.end.x, eased) + sway[0])),
            y=max(-1.0, min(1.0, _between(self.start.y, self.end.y, eased) + sway[1])),
            roll=_between(self.start.roll, self.end.roll, eased),
        )


DEFAULT = Move(Framing(1.03), Framing(1.12))

MOVES: dict[str, Move] = {
    "wide_shot": DEFAULT,
    "establishing_shot": Move(Framing(1.16, x=-0.4), Framing(1.02)),
    "medium_shot": Move(Framing(1.2, y=-0.2), Framing(1.3, y=-0.2)),
    "close_up": Move(Framing(1.5, y=-0.3), Framing(1.72, y=-0.3)),
    "extreme_close_up": Move(Framing(2.0, y=-0.2), Framing(2.3, y=-0.2)),
    "over_the_shoulder": Move(Framing(1.35, x=0.4), Framing(1.42, x=0.7)),
    "pan_left": Move(Framing(1.35, x=0.95), Framing(1.35, x=-0.95)),
    "pan_right": Move(Framing(1.35, x=-0.95), Framing(1.35, x=0.95)),
    "tilt_up": Move(Framing(1.35, y=0.95), Framing(1.35, y=-0.95)),
    "tilt_down": Move(Framing(1.35, y=-0.95), Framing(1.35, y=0.95)),
    "low_angle": Move(Framing(1.3, y=0.5), Framing(1.34, y=-0.6)),
    "high_angle": Move(Framing(1.3, y=-0.5), Framing(1.34, y=0.6)),
    "birds_eye": Move(Framing(1.32, roll=-3.0), Framing(1.2, roll=3.0)),
    "dolly_in": Move(Framing(1.02), Framing(1.55)),
    "dolly_out": Move(Framing(1.55), Framing(1.02)),
    "dutch_angle": Move(Framing(1.45, roll=6.0), Framing(1.55, roll=6.0)),
    "tracking_shot": Move(Framing(1.3, x=-0.8, y=0.1), Framing(1.3, x=0.8, y=0.1), shake=0.04),
    "handheld": Move(Framing(1.2), Framing(1.24), shake=0.16),
    "static": Move(Framing(), Framing()),
}

_SAME_MOVE = {
    "wide": "wide_shot", "wide_angle": "wide_shot", "long_shot": "wide_shot", "full_shot": "wide_shot",
    "eye_level": "wide_shot", "establishing": "establishing_shot", "aerial": "birds_eye", "overhead": "birds_eye",
    "top_down": "birds_eye", "bird_eye": "birds_eye", "birds_eye_view": "birds_eye", "drone_shot": "birds_eye",
    "medium": "medium_shot", "mid_shot": "medium_shot", "closeup": "close_up", "macro": "extreme_close_up",
    "extreme_closeup": "extreme_close_up", "over_shoulder": "over_the_shoulder", "dolly": "dolly_in",
    "push_in": "dolly_in", "zoom_in": "dolly_in", "pull_out": "dolly_out", "pull_back": "dolly_out",
    "zoom_out": "dolly_out", "pan": "pan_right", "tilt": "tilt_up", "crane_up": "tilt_up", "crane_down": "tilt_down",
    "tracking": "tracking_shot", "dutch_tilt": "dutch_angle", "hand_held": "handheld", "static_shot": "static",
    "still": "static",
}  # fmt: skip


def find(camera_angle: str | None) -> Move | None:
    """The move for a camera angle; None for one that is not known."""
    if camera_angle is None:
        return DEFAULT
    name = re.sub(r"[^a-z]+", "_", camera_angle.lower().replace("'", "")).strip("_")
    return MOVES.get(_SAME_MOVE.get(name, name))


def box(framing: Framing, still: Size, film: Size) -> Box:
    """The part of a still of size `still` that a framing without roll shows in a film of size `film`."""
    scale, (x, y) = _place(framing, still, film)
    half_width, half_height = film[0] * scale / 2, film[1] * scale / 2
    return x - half_width, y - half_height, x + half_width, y + half_height


def affine(framing: Framing, still: Size, film: Size) -> Affine:
    """The map that draws a framing of a still of size `still` at size `film`."""
    scale, (x, y) = _place(framing, still, film)
    width, height = film
    cos, sin = math.cos(math.radians(framing.roll)) * scale, math.sin(math.radians(framing.roll)) * scale
    return (
        cos, -sin, x - cos * width / 2 + sin * height / 2,
        sin, cos, y - sin * width / 2 - cos * height / 2,
    )  # fmt: skip


def _place(framing: Framing, still: Size, film: Size) -> tuple[float, tuple[float, float]]:
    """Pixels of the still per pixel of the film, and the point of the still in the middle of the frame."""
    scale = min(still[0] / film[0], still[1] / film[1]) / framing.zoom
    room = (still[0] - film[0] * scale) / 2, (still[1] - film[1] * scale) / 2
    return scale, (still[0] / 2 + framing.x * room[0], still[1] / 2 + framing.y * room[1])


def _between(start: float, end: float, part: float) -> float:
    return start + (end - start) * part
