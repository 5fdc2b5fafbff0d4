"""MP4 files: H.264 and AAC, ready to play while they load."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
from PIL import Image

from ..outputs.provenance import Source, append_to_mp4, xmp
from ..sound import RATE, Samples

_AUDIO_BITS = 160_000
_VIDEO_OPTIONS = {"preset": "veryfast", "crf": "20"}


def save_film(
    frames: Iterable[Image.Image],
    sound: Samples,
    file: Path,
    fps: int,
    size: tuple[int, int],
    description: str,
    source: Source,
) -> None:
    """Write frames and stereo sound (2, n), interleaved, with the film's origin in the container."""
    # The index ahead of the data: a browser starts before it has everything.
    with av.open(str(file), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["title"] = description[:200]
        video = container.add_stream("libx264", rate=fps, options=_VIDEO_OPTIONS)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        # Unsaid, players guess the colour matrix by the height, and greens shift.
        video.codec_context.color_range = av.video.reformatter.ColorRange.MPEG
        video.codec_context.colorspace = av.video.reformatter.Colorspace.ITU709
        audio = container.add_stream("aac", rate=RATE)
        audio.layout = "stereo"
        audio.bit_rate = _AUDIO_BITS
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE, frame_size=1024)
        heard = 0
        for number, picture in enumerate(frames, start=1):
            frame = av.VideoFrame.from_image(picture).reformat(
                format="yuv420p", dst_colorspace=av.video.reformatter.Colorspace.ITU709
            )
            container.mux(video.encode(frame))
            until = number * RATE // fps
            for block in resampler.resample(_audio_frame(sound[:, heard:until])):
                container.mux(audio.encode(block))
            heard = until
        container.mux(video.encode(None))
        for block in resampler.resample(None):
            container.mux(audio.encode(block))
        container.mux(audio.encode(None))
    append_to_mp4(file, xmp(source, description))


def _audio_frame(samples: Samples) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32), format="fltp", layout="stereo")
    frame.sample_rate = RATE
    return frame
