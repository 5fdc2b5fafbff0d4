"""Previews: what they show, that they change nothing, and that no API in whatever state holds up a job by them."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from mediatask_api.pods.previews import checked
from mediatask_crds.model import ModelSource
from mediatask_job.models.latents import glimpse
from mediatask_job.models.load import load
from mediatask_job.models.loaded import Loaded
from mediatask_job.models.source import locate
from mediatask_job.picture.preview import Preview
from mediatask_job.runtime.api import Api
from mediatask_job.runtime.previews import Previews
from mediatask_job.runtime.progress import Progress
from mediatask_job.runtime.signals import Stop

from .conftest import TASK, TOKEN, Store

SIZE = (128, 64)


def builtin(name: str) -> Loaded:
    source = ModelSource(builtin=name)
    return load(locate(source, Path("/nowhere"), Path("/tmp")), source, "whole", lambda _: None)


def flux() -> Any:
    vae = diffusers.AutoencoderKLFlux2(
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=[8] * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
    ).eval()
    vae.bn.running_mean.normal_()
    vae.bn.running_var.uniform_(0.5, 2)
    transformer = diffusers.Flux2Transformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        timestep_guidance_channels=16,
        axes_dims_rope=[4] * 4,
        guidance_embeds=False,
    )
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    return diffusers.Flux2KleinPipeline(scheduler, vae, None, None, transformer, is_distilled=True)


def qwen() -> Any:
    vae = diffusers.AutoencoderKLQwenImage(base_dim=4, dim_mult=[1] * 4, num_res_blocks=1).eval()
    transformer = diffusers.QwenImageTransformer2DModel(
        in_channels=64,
        num_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        axes_dims_rope=(8, 4, 4),
    )
    return diffusers.QwenImagePipeline(diffusers.FlowMatchEulerDiscreteScheduler(), vae, None, None, transformer)


PIPELINES: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "flux": (flux, {"prompt_embeds": torch.ones(1, 8, 32), "guidance_scale": 1.0}),
    "qwen": (
        qwen,
        {"prompt_embeds": torch.ones(1, 8, 16), "prompt_embeds_mask": torch.ones(1, 8).long(), "true_cfg_scale": 1.0},
    ),
    "z-image": (lambda: builtin("tiny-image").pipeline, {"prompt": "x", "guidance_scale": 0.0}),
    "stable diffusion": (lambda: builtin("demo-image").pipeline, {"prompt": "a house"}),
    "wan": (lambda: builtin("tiny-video").pipeline, {"prompt": "x", "num_frames": 1}),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_the_last_glimpse_is_the_picture_in_every_family_of_pipelines(name: str) -> None:
    make, arguments = PIPELINES[name]
    pipeline, seen = make(), []

    def after(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        seen.append(tensors["latents"])
        return tensors

    pipeline.set_progress_bar_config(disable=True)
    drawn = pipeline(
        width=SIZE[0],
        height=SIZE[1],
        num_inference_steps=3,
        generator=torch.Generator().manual_seed(1),
        callback_on_step_end=after,
        output_type="np",
        **arguments,
    )
    picture = drawn.images[0] if hasattr(drawn, "images") else drawn.frames[0][0]
    with torch.no_grad():
        small = glimpse(pipeline, seen[-1], SIZE)
    assert np.abs(small.permute(1, 2, 0).numpy() - (picture * 255).round()).max() <= 1


def test_early_previews_show_what_the_picture_will_be_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediatask_job.picture.preview._SHARE", 1e9)  # as many as there are
    demo, shown, raw = builtin("demo-image"), list[bytes](), list[Any]()
    sampling = demo.sampling(12, None)
    preview = Preview(demo, (128, 128), 1e-9, lambda image: not shown.append(image))

    def on_step(done: int, latents: torch.Tensor) -> None:
        raw.append(glimpse(demo.pipeline, latents, (128, 128)).permute(1, 2, 0).numpy())
        preview.after_step(done, latents)

    drawn, plain = (
        np.asarray(demo.draw("a white house by the sea", (128, 128), 7, sampling, each).images[0], float)
        for each in (on_step, lambda *_: None)
    )
    assert np.array_equal(drawn, plain)
    how_far = [np.abs(np.asarray(Image.open(io.BytesIO(image)), float) - drawn).mean() for image in shown]
    assert len(how_far) == 11, "from the second step on"
    assert how_far[2] < np.abs(raw[3] - drawn).mean() / 2, "nearer to the picture than what it is drawn from"
    assert how_far[-1] < 3


def test_a_job_shows_previews_and_ends_well_although_none_is_answered(run: Any, store: Store) -> None:
    store.silent.add("preview")
    asked = {"character_description": "a white house by the sea", "width": 128, "height": 128, "steps": 6}
    ended = run("generate_image", asked, model={"builtin": "demo-image"})
    assert ended.code == 0, ended.log
    assert store.results
    (told,) = store.previews
    assert checked(told["image"])
    assert (told["step"], told["attempt"]) == ("generating_image", 1)
    assert 0.3 < told["progress"] < 0.95


class Clock:
    """Stands for the time module: each preview takes a second of it."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


def stand_in(clock: Clock, **more: Any) -> Any:
    """A model that does nothing but decode, for a second."""

    def decode(small: torch.Tensor, **_: Any) -> list[torch.Tensor]:
        clock.now += 1
        return [torch.zeros(1, 3, 8, 8)]

    vae = SimpleNamespace(decode=decode, config=SimpleNamespace(), device="cpu", dtype=torch.float32)
    scheduler = SimpleNamespace(config={})
    return SimpleNamespace(pipeline=SimpleNamespace(vae=vae, scheduler=scheduler, **more), rung="whole")


def test_previews_that_take_long_come_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, shown = Clock(), list[float]()
    monkeypatch.setattr("mediatask_job.picture.preview.time", clock)
    preview = Preview(stand_in(clock), SIZE, 1.0, lambda _: not shown.append(clock.now))
    for step in range(1, 250):
        clock.now += 1
        preview.after_step(step, torch.zeros(1, 4, 8, 8))
    assert len(shown) == 3, "a hundredth of the time"


@pytest.mark.parametrize("why", ["off", "memory is scarce", "checked when finished", "nobody takes them", "a fault"])
def test_where_there_are_no_previews_the_drawing_goes_on(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, shown = Clock(), list[bytes]()
    monkeypatch.setattr("mediatask_job.picture.preview.time", clock)
    checker = {"safety_checker": object()} if why == "checked when finished" else {}
    model = stand_in(clock, **checker)
    if why == "memory is scarce":
        model.rung = "vae-tiling"
    if why == "a fault":
        model.pipeline.vae.decode = None
    preview = Preview(model, SIZE, 0 if why == "off" else 1.0, lambda image: bool(shown.append(image)))
    for step in range(1, 1000):
        clock.now += 1
        preview.after_step(step, torch.zeros(1, 4, 8, 8))
    assert len(shown) == (why == "nobody takes them")


# ---- on their way


@pytest.fixture
def api(store: Store, tmp_path: Path) -> Api:
    (tmp_path / "token").write_text(TOKEN)
    return Api(store.url, TASK, tmp_path / "token", Stop())


def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("status", [400, 404, 409])
def test_an_api_that_takes_none_is_asked_once(api: Api, store: Store, status: int) -> None:
    store.always["preview"] = status
    previews = Previews(api, 1, lambda: ("draw", 0.5))
    until(lambda: not previews.show(b"jpeg"))
    assert not previews.show(b"jpeg")
    assert len(store.previews) == 1


def test_an_api_that_is_away_gets_the_next_ones(api: Api, store: Store) -> None:
    store.failures["preview"] = [503, 429, 500]
    previews = Previews(api, 1, lambda: ("draw", 0.5))
    for number in range(1, 5):
        assert previews.show(b"%d" % number)
        until(lambda number=number: len(store.previews) == number)
    assert [base64.b64decode(told["image"]) for told in store.previews] == [b"1", b"2", b"3", b"4"]


def test_an_api_that_hangs_holds_up_neither_the_job_nor_its_reports(
    store: Store, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.silent.add("preview")
    monkeypatch.setattr("mediatask_job.runtime.api._TIMEOUT", httpx.Timeout(2.0))
    api: Api = request.getfixturevalue("api")
    with Progress(api, 1, Stop()) as progress:
        previews = Previews(api, 1, progress.state)
        assert previews.show(b"first")
        until(lambda: store.previews)
        for number in range(1000):
            assert previews.show(b"%d" % number)
        progress.report("drawing", 0.25)
        until(lambda: store.reports[-1:] and store.reports[-1]["progress"] == 0.25)
        until(lambda: base64.b64decode(store.previews[-1]["image"]) == b"999")
    assert len(store.previews) < 10, "of those that waited, the latest alone"
