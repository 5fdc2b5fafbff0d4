"""Speech by eSpeak NG, which runs beside this process and never in it."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..failures import InvalidInput
from . import Samples
from .delivery import Delivery
from .espeak_process import NO_VOICE

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Spoken:
    samples: Samples
    """Mono."""
    rate: int
    voice: str
    """The voice that spoke; perhaps a more general one than the language asked for."""


def speak(text: str, delivery: Delivery, work: Path, check_stop: Callable[[], None]) -> Spoken:
    """Speak a text; `check_stop` is asked while the synthesiser works.

    Raises:
        InvalidInput: no voice for the language, or a text without anything to say.
        RuntimeError: the synthesiser failed.
    """
    file = work / "speech.wav"
    order = json.dumps(asdict(delivery) | {"text": _speakable(text), "file": str(file)})
    with subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.espeak_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            pending: str | None = order
            while True:
                try:
                    answer, complaint = process.communicate(pending, timeout=_POLL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    pending = None
                    check_stop()
        except BaseException:
            process.kill()
            raise
    if process.returncode == NO_VOICE:
        raise InvalidInput("UnsupportedLanguage", f"no voice for {', '.join(delivery.voices)}")
    if process.returncode:
        raise RuntimeError(f"eSpeak NG ended with {process.returncode}: {complaint[-500:]}")
    with wave.open(str(file), "rb") as recording:
        rate = recording.getframerate()
        samples = np.frombuffer(recording.readframes(recording.getnframes()), "<i2")
    file.unlink()
    if not samples.any():
        raise InvalidInput("NothingToSay", "the text has nothing that can be spoken")
    return Spoken(samples.astype(np.float32) / np.float32(32768), rate, json.loads(answer)["voice"])


def _speakable(text: str) -> str:
    """Without control characters: NUL would end the text, and \\x01 starts a command of the synthesiser."""
    return "".join(char if char.isprintable() or char.isspace() else " " for char in text)
