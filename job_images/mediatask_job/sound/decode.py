"""Recordings from strangers: the container is chosen by us from the first bytes, never probed by FFmpeg.

Probing would let a file call itself a playlist and name other files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from ..failures import InvalidInput
from . import Samples

_RATE = 22050
_MAX_SECONDS = 60
"""More of a voice says nothing new, and a small file can hold days of silence."""


@dataclass(frozen=True)
class Recording:
    samples: Samples
    """Mono."""
    rate: int


def read_recording(file: Path, url: str) -> Recording:
    """The first minute of a WAV, MP3, OGG, FLAC or M4A file.

    Raises:
        InvalidInput: another format, damaged, or without sound.
    """
    with file.open("rb") as body:
        demuxer = _demuxer(body.read(16))
        body.seek(0)
        if demuxer == "mp4" and _compressed_header(body):
            raise InvalidInput("InputUnusable", f"{url}: a compressed header (cmov), which may unpack to any size")
        body.seek(0)
        if demuxer is None:
            raise InvalidInput("InputUnusable", f"{url}: not a recording of a known format (WAV, MP3, OGG, FLAC, M4A)")
        try:
            with av.open(body, "r", format=demuxer) as container:
                samples = _decode(container)
        except (av.FFmpegError, ValueError, IndexError) as error:
            raise InvalidInput("InputUnusable", f"{url}: a damaged recording: {error}") from error
    if not samples.size or not np.isfinite(samples).all():
        raise InvalidInput("InputUnusable", f"{url}: a recording without sound")
    return Recording(samples, _RATE)


def _demuxer(head: bytes) -> str | None:
    """FFmpeg's name of the container that these first bytes belong to."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2):
        return "mp3"
    if head[4:8] == b"ftyp":
        return "mp4"
    return {b"OggS": "ogg", b"fLaC": "flac"}.get(head[:4])


def _compressed_header(body: BinaryIO) -> bool:
    """Whether an ISO media file may have a header that FFmpeg would unpack, trusting the size that it claims."""
    at, end = 0, body.seek(0, 2)
    while at < end:
        body.seek(at)
        head = body.read(16)
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(head[8:16], "big") if size == 1 else size or end - at
        if size < 8:  # no box: whatever follows is looked through
            size = end - at
        elif head[4:8] == b"mdat":
            at += size
            continue
        body.seek(at)
        if b"cmov" in body.read(min(size, end - at)):
            return True
        at += size
    return False


def _decode(container: av.container.InputContainer) -> Samples:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=_RATE)
    parts: list[Samples] = []
    left = _MAX_SECONDS * _RATE
    for frame in container.decode(audio=0):
        for block in resampler.resample(frame):
            parts.append(block.to_ndarray()[0][:left])
            left -= parts[-1].size
        if left <= 0:
            break
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
