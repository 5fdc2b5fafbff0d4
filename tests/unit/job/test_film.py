"""Camera, cuts and light: geometry that never leaves the still, weights that add up, grades that do what they say."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from mediatask_job.film import camera, grade
from mediatask_job.film.form import Form
from mediatask_job.film.framing import framed, has_margins
from mediatask_job.film.generated import model_frames, retimed
from mediatask_job.film.planes import Planes, Shade
from mediatask_job.film.storyboard import Storyboard
from mediatask_job.film.timeline import layers

STILL = (1664, 936)
FILM = (1280, 720)


@dataclass
class Picture:
    """A still that counts how often it is opened."""

    image: Image.Image
    opened: list[int] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        return self.image.size

    def open(self, max_side: int) -> Image.Image:
        self.opened.append(max_side)
        return self.image


def rgb(frame: Planes) -> np.ndarray:
    return frame.frame().to_ndarray(format="rgb24").astype(int)


def plain(colour: object, size: tuple[int, int] = (64, 36)) -> Picture:
    return Picture(Image.new("RGB", size, colour))  # type: ignore[arg-type]


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
    form = Form.lasting(duration, fps, *FILM)
    assert abs(form.seconds - duration) <= 0.5 / fps + 1e-9 or form.frames == 1
    assert form.pixels == form.frames * 1280 * 720


@pytest.mark.parametrize("name", camera.MOVES)
def test_a_view_without_roll_is_the_affine_one(name: str) -> None:
    framing = camera.MOVES[name].at(0.3)
    a, b, c, d, e, f = camera.affine(framing, STILL, FILM)
    if framing.roll == 0:
        assert camera.box(framing, STILL, FILM) == pytest.approx((c, f, a * 1280 + b * 720 + c, d * 1280 + e * 720 + f))


def test_noir_is_dark_and_colourless_and_golden_is_warm() -> None:
    picture = Image.new("RGB", (32, 32), (120, 90, 60))
    noir = np.asarray(grade.GRADES["noir"].apply(picture)).reshape(-1, 3).mean(axis=0)
    golden = np.asarray(grade.GRADES["golden"].apply(picture)).reshape(-1, 3).mean(axis=0)
    assert np.ptp(noir) < 25
    assert noir.mean() < 90
    assert golden[0] - golden[2] > 60


@pytest.mark.parametrize("name", grade.GRADES)
def test_the_shadows_of_a_dark_picture_stay_apart(name: str) -> None:
    night = np.tile(np.linspace(10, 70, 64).astype(np.uint8)[:, None], (64, 1, 3))
    levels = np.asarray(grade.GRADES[name].apply(Image.fromarray(night)))[0].mean(axis=1)
    assert len(np.unique(levels.round())) > 15, "one black"
    assert (np.diff(levels) >= 0).all()


def test_a_vignette_darkens_corners_alone() -> None:
    frame = rgb(Planes.of(Image.new("RGB", FILM, (200, 120, 60))).shaded(Shade.vignette(0.6, FILM)))
    assert np.abs(frame[0, 0] - (80, 48, 24)).max() <= 3, "as dark in all colours"
    assert np.abs(frame[360, 640] - (200, 120, 60)).max() <= 2


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (90, 120, 30)])
def test_planes_keep_the_colour(colour: tuple[int, int, int]) -> None:
    still = Planes.of(Image.new("RGB", STILL, colour))
    for view in (still.view((10.3, 7.1, 1400.2, 800.9), FILM), still.turned_view((1.1, 0.1, 60, -0.1, 1.1, 140), FILM)):
        assert view.size == FILM
        assert np.abs(rgb(view) - colour).max() <= 3


def test_lighting_is_found_by_its_words() -> None:
    assert grade.find("noir_dramatic") is grade.GRADES["noir"]
    assert grade.find("dramatic_shadow") is grade.GRADES["dramatic"]
    assert grade.find("sunset") is grade.GRADES["golden"]
    assert grade.find("antimatter") is None
    assert grade.find(None) is grade.NEUTRAL


def test_rendering_fades_from_still_to_still() -> None:
    board = Storyboard(Form(64, 36, 10, 20), camera.DEFAULT, grade.NEUTRAL, [plain("red"), plain("blue")])
    frames = [rgb(frame) for frame in board.frames(2)]
    assert len(frames) == 20
    assert np.abs(frames[0][18, 32] - (255, 0, 0)).max() <= 3
    assert np.abs(frames[-1][18, 32] - (0, 0, 255)).max() <= 3
    blues = [int(frame[18, 32, 2]) for frame in frames]
    assert blues == sorted(blues)
    assert any(50 < blue < 200 for blue in blues)


@pytest.mark.parametrize("angle", ["handheld", "birds_eye"])
def test_frames_do_not_depend_on_the_number_of_threads(angle: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 90, 160, 3), np.uint8)
    stills = [Picture(Image.fromarray(pixels)) for pixels in noise]
    board = Storyboard(Form(128, 72, 12, 30), camera.MOVES[angle], grade.GRADES["noir"], stills)
    alone, together = ([rgb(frame) for frame in board.frames(threads)] for threads in (1, 4))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


@pytest.mark.parametrize("name", camera.MOVES)
@pytest.mark.parametrize("size", [(64, 64), (1288, 720)])
def test_no_move_shows_what_is_beside_the_still(name: str, size: tuple[int, int]) -> None:
    board = Storyboard(Form(*size, 4, 6), camera.MOVES[name], grade.NEUTRAL, [plain((200, 90, 60), size)])
    assert all(np.abs(rgb(frame) - (200, 90, 60)).max() <= 3 for frame in board.frames(2))


def test_stills_are_opened_once_and_not_before_they_are_wanted() -> None:
    stills = [plain("red") for _ in range(8)]
    frames = Storyboard(Form(64, 36, 24, 8 * 24), camera.DEFAULT, grade.NEUTRAL, stills).frames(2)
    next(frames)
    assert [len(still.opened) for still in stills] == [1] + [0] * 7, "the threads ran away from the encoder"
    assert len(list(frames)) == 8 * 24 - 1
    assert [len(still.opened) for still in stills] == [1] * 8


@given(width=st.integers(200, 1200), height=st.integers(200, 1200))
@example(width=8, height=4000)
def test_most_of_a_still_is_seen_whatever_its_shape(width: int, height: int) -> None:
    across, down = np.meshgrid(np.arange(64), np.arange(64))
    marked = Image.fromarray(np.stack([across * 4, down * 4, np.full((64, 64), 250)], axis=2).astype(np.uint8))
    still = Picture(marked.resize((width, height), Image.Resampling.NEAREST))
    picture = np.asarray(framed(still, (320, 180)), int)
    assert picture.shape == (180, 320, 3)
    sharp = picture[picture[..., 2] > 200]
    if width >= 200:
        seen = np.ptp(sharp[:, 0]) / 252, np.ptp(sharp[:, 1]) / 252
        assert seen[0] * seen[1] > 0.7, "at most a quarter is cut off, and edges are soft"
    assert (len(sharp) < 320 * 180) == has_margins((width, height), (320, 180))


@given(duration=st.floats(0.5, 60), fps=st.integers(1, 60), most=st.none() | st.integers(1, 200))
def test_video_models_are_asked_for_one_and_four_k_frames(duration: float, fps: int, most: int | None) -> None:
    count = model_frames(duration, fps, most)
    assert count % 4 == 1
    assert most is None or count <= most


def test_frames_of_a_model_are_spread_over_the_clip() -> None:
    drawn = [np.full((8, 8, 3), level) for level in (0.0, 0.5, 1.0)]
    levels = [int(rgb(frame)[0, 0, 0]) for frame in retimed(drawn, Form(16, 16, 9, 9))]
    assert len(levels) == 9
    assert levels[0] <= 1
    assert levels[-1] >= 254
    assert levels == sorted(levels)
    assert len(set(levels)) == 9, "blended in between"
