"""Sound files: MP3 and WAV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import av
import numpy as np

from ..outputs.provenance import SOFTWARE, Source, append_to_wav, xmp
from . import RATE, Samples

Format = Literal["mp3", "wav"]

_CODECS: dict[Format, str] = {"mp3": "libmp3lame", "wav": "pcm_s16le"}
_MP3_BITS = 192_000


def save_sound(blocks: Iterable[Samples], file: Path, kind: Format, description: str, source: Source) -> None:
    """Write stereo blocks (2, n), one after another, to `file`, with its origin in the container."""
    packet = xmp(source, description)
    options = {"id3v2_version": "3", "write_xing": "1"} if kind == "mp3" else {}
    with av.open(str(file), "w", format=kind, options=options) as container:
        container.metadata["title"] = description[:200]
        container.metadata["encoded_by"] = SOFTWARE
        if kind == "mp3":
            container.metadata["id3v2_priv.XMP"] = _escaped(packet)
        stream = container.add_stream(_CODECS[kind], rate=RATE)
        stream.layout = "stereo"
        if kind == "mp3":
            stream.bit_rate = _MP3_BITS
        for frame in _frames(blocks, stream.codec_context):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if kind == "wav":
        append_to_wav(file, packet)


def _frames(blocks: Iterable[Samples], codec: av.AudioCodecContext) -> Iterator[av.AudioFrame]:
    """Frames of the codec's sample format and size."""
    resampler = av.AudioResampler(format=codec.format, layout="stereo", rate=RATE, frame_size=codec.frame_size or None)
    for block in blocks:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block, np.float32), format="fltp", layout="stereo")
        frame.sample_rate = RATE
        yield from resampler.resample(frame)
    yield from resampler.resample(None)


def _escaped(packet: bytes) -> str:
    """FFmpeg's notation for binary PRIV frames: bytes outside printable ASCII as \\xNN."""
    return "".join(chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02x}" for byte in packet)
