"""Camera, cuts and light: geometry that never leaves the still, weights that add up, grades that do what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mediatask_job.film import camera, grade
from mediatask_job.film.generated import model_frames, retimed
from mediatask_job.film.storyboard import Film, render
from mediatask_job.film.timeline import frame_count, layers

STILL = (1664, 936)
FILM = (1280, 720)


@pytest.mark.parametrize("name", camera.MOVES)
def test_no_move_leaves_the_still(name: str) -> None:
    for moment in np.linspace(0, 1, 21):
        a, b, c, d, e, f = camera.affine(camera.MOVES[name].at(float(moment)), STILL, FILM)
        for x, y in ((0, 0), (FILM[0], 0), (0, FILM[1]), FILM):
            assert -0.5 <= a * x + b * y + c <= STILL[0] + 0.5
            assert -0.5 <= d * x + e * y + f <= STILL[1] + 0.5


def test_moves_go_where_they_say() -> None:
    def centre(name: str, moment: float) -> tuple[float, float]:
        a, b, c, d, e, f = camera.affine(camera.MOVES[name].at(moment), STILL, FILM)
        return a * 640 + b * 360 + c, d * 640 + e * 360 + f

    assert centre("pan_left", 0)[0] > centre("pan_left", 1)[0] + 200
    assert centre("pan_right", 0)[0] < centre("pan_right", 1)[0] - 200
    assert centre("tilt_up", 0)[1] > centre("tilt_up", 1)[1] + 100
    assert camera.MOVES["dolly_in"].at(1).zoom > camera.MOVES["dolly_in"].at(0).zoom
    assert camera.MOVES["close_up"].at(0).zoom > camera.MOVES["wide_shot"].at(1).zoom


def test_camera_angles_are_found_however_they_are_written() -> None:
    assert camera.find("Wide Shot") is camera.find("wide-shot") is camera.MOVES["wide_shot"]
    assert camera.find("bird's eye view") is camera.MOVES["birds_eye"]
    assert camera.find("sideways_through_time") is None


@given(frames=st.integers(1, 400), stills=st.integers(1, 64), fps=st.integers(1, 60), data=st.data())
def test_every_frame_shows_one_or_two_stills_of_full_weight(
    frames: int, stills: int, fps: int, data: st.DataObject
) -> None:
    frame = data.draw(st.integers(0, frames - 1))
    seen = layers(frame, frames, stills, fps)
    assert 1 <= len(seen) <= 2
    assert math.isclose(sum(layer.weight for layer in seen), 1.0, abs_tol=1e-6)
    assert all(0 <= layer.moment <= 1 and 0 <= layer.still < stills for layer in seen)


def test_stills_come_in_order_and_all_of_them() -> None:
    strongest = [max(layers(n, 168, 4, 24), key=lambda layer: layer.weight).still for n in range(168)]
    assert strongest == sorted(strongest)
    assert set(strongest) == {0, 1, 2, 3}


@given(duration=st.floats(0.5, 60), fps=st.integers(1, 60))
def test_the_frames_are_as_long_as_the_clip(duration: float, fps: int) -> None:
    assert abs(frame_count(duration, fps) / fps - duration) <= 0.5 / fps + 1e-9 or frame_count(duration, fps) == 1


def test_noir_is_dark_and_colourless_and_golden_is_warm() -> None:
    picture = Image.new("RGB", (32, 32), (120, 90, 60))
    noir = np.asarray(grade.GRADES["noir"].apply(picture)).reshape(-1, 3).mean(axis=0)
    golden = np.asarray(grade.GRADES["golden"].apply(picture)).reshape(-1, 3).mean(axis=0)
    assert np.ptp(noir) < 25
    assert noir.mean() < 90
    assert golden[0] - golden[2] > 60


def test_a_vignette_darkens_corners_alone() -> None:
    [frame] = grade.GRADES["noir"].vignetted([Image.new("RGB", FILM, (200, 200, 200))], FILM)
    corner, centre = frame.getpixel((0, 0)), frame.getpixel((640, 360))
    assert corner[0] < 100
    assert centre[0] >= 198


def test_lighting_is_found_by_its_words() -> None:
    assert grade.find("noir_dramatic") is grade.GRADES["noir"]
    assert grade.find("dramatic_shadow") is grade.GRADES["dramatic"]
    assert grade.find("sunset") is grade.GRADES["golden"]
    assert grade.find("antimatter") is None
    assert grade.find(None) is grade.NEUTRAL


def test_rendering_fades_from_still_to_still() -> None:
    colours = [Image.new("RGB", (64, 36), colour) for colour in ("red", "blue")]
    film = Film(64, 36, 10, 20, camera.DEFAULT, grade.NEUTRAL)
    frames = [np.asarray(frame) for frame in render(film, [lambda _side, c=c: c for c in colours])]
    assert len(frames) == 20
    assert frames[0][18, 32].tolist() == [255, 0, 0]
    assert frames[-1][18, 32].tolist() == [0, 0, 255]
    blues = [int(frame[18, 32, 2]) for frame in frames]
    assert blues == sorted(blues)
    assert any(0 < blue < 255 for blue in blues)


@given(duration=st.floats(0.5, 60), fps=st.integers(1, 60), most=st.none() | st.integers(1, 200))
def test_video_models_are_asked_for_one_and_four_k_frames(duration: float, fps: int, most: int | None) -> None:
    count = model_frames(duration, fps, most)
    assert count % 4 == 1
    assert most is None or count <= most


def test_frames_of_a_model_are_spread_over_the_clip() -> None:
    drawn = [np.full((8, 8, 3), level) for level in (0.0, 0.5, 1.0)]
    levels = [np.asarray(frame)[0, 0, 0] for frame in retimed(drawn, 9, (16, 16))]
    assert len(levels) == 9
    assert (levels[0], levels[-1]) == (0, 255)
    assert levels == sorted(levels)
