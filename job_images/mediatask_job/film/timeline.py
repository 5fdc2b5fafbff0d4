"""Which stills are seen in which frame, and how much of each. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST_FADE_SECONDS = 0.7
_FADE_PART = 0.3
"""A cross-fade takes no more than this part of a shot."""


@dataclass(frozen=True)
class Layer:
    """A still in a frame."""

    still: int
    moment: float
    """0..1 of the shot, its fades included."""
    weight: float
    """Share of the picture; the weights of a frame add up to 1."""


def layers(frame: int, frames: int, stills: int, fps: int) -> list[Layer]:
    """The one or two stills of a frame: equal shots, cross-faded around each cut."""
    shot = frames / stills
    half_fade = min(_LONGEST_FADE_SECONDS * fps, _FADE_PART * shot) / 2
    now = frame + 0.5
    found = []
    for still in range(stills):
        first, last = still * shot, (still + 1) * shot
        fades_in, fades_out = still > 0, still < stills - 1
        start = first - half_fade if fades_in else first
        end = last + half_fade if fades_out else last
        if not start <= now < end:
            continue
        weight = 1.0
        if fades_in:
            weight = min(weight, (now - start) / (2 * half_fade))
        if fades_out:
            weight = min(weight, (end - now) / (2 * half_fade))
        found.append(Layer(still, (now - start) / (end - start), weight))
    return found
