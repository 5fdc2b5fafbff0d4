"""MP4 files: H.264 and AAC, ready to play while they load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from ..outputs.provenance import Source, append_to_mp4, xmp
from ..sound import RATE, Samples
from .form import Form
from .planes import Planes

_AUDIO_BITS = 160_000
VIDEO_OPTIONS = {"preset": "veryfast", "crf": "19", "x264-params": "subme=1:partitions=i4x4,i8x8"}
"""A third less CPU than `veryfast` at crf 20, of equal quality, for a tenth more bytes: in a camera move over a still
all blocks move alike, so that small ones and a finer search find little."""
VIDEO_THREADS = 4
"""Fixed, because the encoder's bytes depend on it: equal seeds give equal files on every machine."""


def save_film(
    frames: Iterable[Planes], sound: Samples, file: Path, form: Form, description: str, source: Source
) -> None:
    """Write frames and stereo sound (2, n), interleaved, with the film's origin in the container."""
    # The index ahead of the data: a browser starts before it has everything.
    with av.open(str(file), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["title"] = description[:200]
        video = _video_stream(container, form)
        audio = _Audio(container, sound)
        for number, frame in enumerate(frames, start=1):
            container.mux(video.encode(frame.frame()))
            container.mux(audio.until(number * RATE // form.fps))
        container.mux(video.encode(None))
        container.mux(audio.rest())
    append_to_mp4(file, xmp(source, description))


def _video_stream(container: av.container.OutputContainer, form: Form) -> av.VideoStream:
    video = container.add_stream("libx264", rate=form.fps, options=VIDEO_OPTIONS)
    video.width, video.height = form.size
    video.pix_fmt = "yuv420p"
    video.codec_context.thread_count = VIDEO_THREADS
    # Where they are missing, players guess the colour matrix by the height, and greens shift.
    video.codec_context.color_range = ColorRange.MPEG
    video.codec_context.colorspace = Colorspace.ITU709
    return video


class _Audio:
    """The sound's stream, encoded as far as the pictures have come."""

    def __init__(self, container: av.container.OutputContainer, sound: Samples) -> None:
        self._sound = sound
        self._done = 0
        self._stream = container.add_stream("aac", rate=RATE)
        self._stream.layout = "stereo"
        self._stream.bit_rate = _AUDIO_BITS
        # The encoder takes blocks of this size only.
        self._blocks = av.AudioResampler(format="fltp", layout="stereo", rate=RATE, frame_size=1024)

    def until(self, sample: int) -> Iterator[av.Packet]:
        """Packets up to about this sample."""
        part = np.ascontiguousarray(self._sound[:, self._done : sample], np.float32)
        self._done = sample
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
        frame.sample_rate = RATE
        for block in self._blocks.resample(frame):
            yield from self._stream.encode(block)

    def rest(self) -> Iterator[av.Packet]:
        """The packets that are left."""
        for block in [*self._blocks.resample(None), None]:
            yield from self._stream.encode(block)
