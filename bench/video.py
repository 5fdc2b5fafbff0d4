"""A storyboard film beside the plainest that PyAV can do: encoding as many frames that are ready already."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from bench import machine
from mediatask_client.demo.alley import Shot, draw_alley
from mediatask_job.film import camera, grade
from mediatask_job.film.form import Form
from mediatask_job.film.mp4 import VIDEO_OPTIONS, VIDEO_THREADS, save_film
from mediatask_job.film.storyboard import Storyboard
from mediatask_job.outputs.provenance import Source
from mediatask_job.runners.generate_video.storyboard import DrawnStill
from mediatask_job.runtime.cpus import usable_cpus
from mediatask_job.sound import RATE

FORM = Form.lasting(7, 24, 1280, 720)


def video(repeats: int, tick: Callable[[], None]) -> dict[str, Any]:
    """Rounds in turn: milliseconds per frame, wall and CPU, of the film and of the peer; `tick` after each."""
    stills = [DrawnStill(draw_alley(Shot(seed=number))) for number in (1, 2)]
    board = Storyboard(FORM, camera.DEFAULT, grade.GRADES["noir"], stills)
    silence = np.zeros((2, FORM.frames * RATE // FORM.fps), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film.mp4"

        def film() -> None:
            save_film(board.frames(usable_cpus()), silence, file, FORM, "", Source.COMPOSITE)

        film()
        # Pictures of the film itself, so that both give the encoder the same work.
        ready = _pictures(file)

        def peer() -> None:
            _encode(ready, Path(folder) / "peer.mp4")

        rounds: dict[str, list[dict[str, float]]] = {"film": [], "encoding alone": []}
        for _ in range(repeats):
            for name, work in (("film", film), ("encoding alone", peer)):
                rounds[name].append(_measured(work))
                tick()
    return {"frames": FORM.frames, "rounds": rounds}


def _measured(work: Callable[[], None]) -> dict[str, float]:
    wall, cpu, busy = time.perf_counter(), time.process_time(), machine.busy_seconds()
    work()
    wall, cpu, busy = (
        time.perf_counter() - wall, time.process_time() - cpu, machine.busy_seconds() - busy,
    )  # fmt: skip
    return {
        "wall_ms": round(1000 * wall / FORM.frames, 1),
        "cpu_ms": round(1000 * cpu / FORM.frames, 1),
        "others_cores": round((busy - cpu) / wall, 1),
    }


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The middle value of each figure."""
    return {name: round(statistics.median(one[name] for one in rounds), 1) for name in rounds[0]}


def _pictures(file: Path) -> list[Image.Image]:
    """Every frame as RGB; a second of them is enough to choose from."""
    with av.open(str(file)) as container:
        return [frame.to_image() for number, frame in enumerate(container.decode(video=0)) if number < 2 * FORM.fps]


def _encode(pictures: list[Image.Image], file: Path) -> None:
    """As PyAV's documentation does it, with the film's own encoder settings; back and forth over the pictures."""
    there_and_back = [*pictures, *pictures[-2:0:-1]]
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FORM.fps), options=VIDEO_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = FORM.width, FORM.height, "yuv420p"
        stream.codec_context.thread_count = VIDEO_THREADS
        for number in range(FORM.frames):
            picture = there_and_back[number % len(there_and_back)]
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode(None))
