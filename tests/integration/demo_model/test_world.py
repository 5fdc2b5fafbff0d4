"""The drawn world: scenes, pictures, captions, tokens."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo_model.parts.text import MAX_TOKENS, new_tokenizer, token_ids
from demo_model.world.captions import UNKNOWN_WORD, UNNAMED, caption
from demo_model.world.render import render
from demo_model.world.scene import ATTRIBUTES, Scene, held_out_scene, sample_scene, training_scene

PLAIN = Scene("city", "day", "clear", "summer", "car", "red", "centre", "medium", "eye", "plain", seed=7)


def brightness(scene: Scene) -> float:
    return float(np.asarray(render(scene, 64)).mean())


@given(st.integers(0, 10_000))
@settings(max_examples=60)
def test_held_out_combinations_are_never_trained_on(index: int) -> None:
    assert held_out_scene(index).held_out
    assert not training_scene(index).held_out


def test_equal_scenes_give_equal_pictures_and_the_seed_moves_the_details() -> None:
    assert render(PLAIN, 64).tobytes() == render(PLAIN, 64).tobytes()
    assert render(PLAIN, 64).tobytes() != render(dataclasses.replace(PLAIN, seed=8), 64).tobytes()


def test_a_scene_looks_the_same_at_every_size() -> None:
    small = np.asarray(render(PLAIN, 64, 4), dtype=np.float32)
    large = np.asarray(render(PLAIN, 128, 2).reduce(2), dtype=np.float32)
    assert np.abs(small - large).mean() < 1


@pytest.mark.parametrize("place", ATTRIBUTES["place"])
def test_light_follows_the_hour(place: str) -> None:
    day, dusk, night = (brightness(dataclasses.replace(PLAIN, place=place, time=t)) for t in ("day", "dusk", "night"))
    assert night < dusk < day


def test_noir_has_no_colour() -> None:
    pixels = np.asarray(render(dataclasses.replace(PLAIN, time="night", mood="noir"), 64), dtype=np.int16)
    assert np.ptp(pixels, axis=2).max() <= 8


@given(st.integers(0, 10_000))
@settings(max_examples=200)
def test_a_caption_names_what_it_says_it_names(seed: int) -> None:
    rng = random.Random(seed)
    scene = sample_scene(rng)
    text, labels = caption(scene, rng)
    named = dict(zip(ATTRIBUTES, labels, strict=True))
    assert all(index in (UNNAMED, wanted) for index, wanted in zip(labels, scene.labels(), strict=True))
    if scene.mood == "noir":
        assert named["mood"] != UNNAMED, "nobody who did not ask for it should get film noir"
    if scene.subject == "none":
        assert named["colour"] == UNNAMED
    assert text == " ".join(text.split())


@pytest.mark.parametrize(("mood", "usual"), [("plain", "city"), ("noir", "alley")])
def test_a_place_that_is_not_named_is_the_usual_one(mood: str, usual: str) -> None:
    rng = random.Random(mood)
    scenes = [dataclasses.replace(sample_scene(rng), mood=mood) for _ in range(3000)]
    unnamed = [scene.place for scene in scenes if caption(scene, rng)[1][0] == UNNAMED]
    assert unnamed.count(usual) / len(unnamed) > 0.6


def test_the_tokenizer_reads_the_words_that_platforms_send() -> None:
    tokenizer = new_tokenizer()
    ids = token_ids(tokenizer, ["Detective enters the DARK alley; wide_shot, noir_dramatic, close-up"])[0]
    words = tokenizer.convert_ids_to_tokens(ids)
    assert len(words) == MAX_TOKENS
    said = ["detective", "enters", "the", "dark", "alley", "wide", "shot", "noir", "dramatic", "close", "up"]
    assert words[:12] == ["<s>", *said]
    assert words[12:14] == ["</s>", "<pad>"]


def test_words_that_no_caption_uses_are_unknown() -> None:
    tokenizer = new_tokenizer()
    assert tokenizer.convert_ids_to_tokens(token_ids(tokenizer, [f"xylophone {UNKNOWN_WORD}"])[0])[1:3] == ["<unk>"] * 2
