"""What counts when pictures are judged, without a judge."""

from __future__ import annotations

import dataclasses

import torch

from demo_model.evaluate import random_prompts
from demo_model.judge import accuracy, visible
from demo_model.world.scene import ATTRIBUTES, Scene

CAR = Scene("forest", "day", "clear", "autumn", "car", "red", "left", "wide", "eye", "plain", seed=7)


def shown(scene: Scene) -> set[str]:
    return {name for name, seen in zip(ATTRIBUTES, visible(scene), strict=True) if seen}


def test_only_what_a_picture_can_show_is_judged() -> None:
    everything = set(ATTRIBUTES)
    assert shown(CAR) == everything
    assert shown(dataclasses.replace(CAR, subject="none")) == everything - {"colour", "position", "distance"}
    assert shown(dataclasses.replace(CAR, mood="noir")) == everything - {"colour", "season"}
    assert shown(dataclasses.replace(CAR, place="city")) == everything - {"season"}
    assert shown(dataclasses.replace(CAR, weather="snow")) == everything - {"season"}


def test_a_wrong_verdict_counts_where_it_can_be_seen() -> None:
    empty = dataclasses.replace(CAR, subject="none")
    verdicts = torch.tensor([CAR.labels(), empty.labels()])
    colour, place = list(ATTRIBUTES).index("colour"), list(ATTRIBUTES).index("place")
    verdicts[1, colour] += 1
    verdicts[1, place] += 1
    shares = accuracy(verdicts, [CAR, empty])
    assert shares["colour"] == 1.0
    assert shares["place"] == 0.5


def test_the_grid_shows_the_same_prompts_every_time() -> None:
    assert random_prompts(5) == random_prompts(24)[:5]
