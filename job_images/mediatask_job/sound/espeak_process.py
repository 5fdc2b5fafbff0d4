"""eSpeak NG in a process of its own: `python -m mediatask_job.sound.espeak_process < order.json > answer.json`.

The library is under the GPL, so it is never loaded into the job's own process: order and answer are plain data.
The order is `Order` of `speech` as JSON; the answer names the voice that was used and where the samples lie.
"""

from __future__ import annotations

import ctypes
import json
import sys
import wave
from collections.abc import Callable
from typing import Any

import espeakng_loader

_SYNCHRONOUS = 2
_UTF8 = 1
_POSITION_CHARACTER = 1
# espeak_PARAMETER
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4

NO_VOICE = 3
"""Exit code: none of the wanted voices is installed."""


def main() -> int:
    """Speak the order of standard input."""
    order = json.load(sys.stdin)
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    if rate <= 0:
        raise RuntimeError("eSpeak NG did not start")
    # The return code decides: with a voice that it lacks, the library silently keeps the one before.
    voice = next((name for name in order["voices"] if library.espeak_SetVoiceByName(name.encode()) == 0), None)
    if voice is None:
        return NO_VOICE
    for parameter, key in ((_RATE, "rate"), (_VOLUME, "volume"), (_PITCH, "pitch"), (_RANGE, "range")):
        library.espeak_SetParameter(parameter, int(order[key]), 0)
    with wave.open(order["file"], "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        _speak(library, order["text"], out.writeframes)
    json.dump({"voice": voice}, sys.stdout)
    return 0


def _speak(library: Any, text: str, write: Callable[[bytes], None]) -> None:
    def on_samples(samples: Any, count: int, _events: object) -> int:
        if samples and count > 0:
            write(ctypes.string_at(samples, 2 * count))
        return 0

    callback_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    callback = callback_type(on_samples)
    library.espeak_SetSynthCallback(callback)
    encoded = text.encode()
    unsigned, nothing = ctypes.c_uint, ctypes.c_void_p()
    failed = library.espeak_Synth(
        ctypes.c_char_p(encoded),
        ctypes.c_size_t(len(encoded) + 1),
        unsigned(0),
        _POSITION_CHARACTER,
        unsigned(0),
        unsigned(_UTF8),
        nothing,
        nothing,
    )
    if failed or library.espeak_Synchronize():
        raise RuntimeError("eSpeak NG did not speak")


if __name__ == "__main__":
    sys.exit(main())
