"""What is to be seen, whichever way it was made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mediatask_crds.tasktypes.generate_video import GenerateVideo

from ...film.planes import Planes
from ...outputs.provenance import Source


@dataclass(frozen=True)
class Footage:
    frames: Callable[[int], Iterator[Planes]]
    """All frames in order, rendered by at most this many threads."""
    source: Source
    metadata: dict[str, Any]


def prompt(data: GenerateVideo) -> str:
    """One prompt of everything that can be put into words."""
    parts = [data.scene_description]
    parts += [f"{name}: {value.replace('_', ' ')}" for name, value in (
        ("camera", data.camera_angle), ("lighting", data.lighting), ("position", ", ".join(data.character_positions))
    ) if value]  # fmt: skip
    return ", ".join(parts)
