"""`process_audio`: a spoken line, with a scene around it, at the loudness of a podcast."""

from __future__ import annotations

from collections.abc import Iterator

from mediatask_crds.model import ModelSource
from mediatask_crds.tasktypes.process_audio import ProcessAudio

from ..context import Context, Output, OutputFile
from ..failures import ModelMissing
from ..outputs.facts import facts, seed_from
from ..outputs.provenance import Source
from ..sound import RATE, Samples, mix
from ..sound.ambience import scene
from ..sound.delivery import NEUTRAL, PACES, Delivery, deliver, emotion, pace
from ..sound.encode import save_sound
from ..sound.loudness import Gain, levelled, measured
from ..sound.pitch import mean_pitch
from ..sound.resample import to_rate
from ..sound.speech import speak

_LANGUAGE = "en-US"
_MODEL = "espeak-ng"
_MARGIN = int((mix.AMBIENCE_LEAD_SECONDS + mix.AMBIENCE_TAIL_SECONDS) * RATE)
"""Samples of the scene that are heard without the voice."""


def run(ctx: Context[ProcessAudio]) -> Output:
    """Look at the voice profile, speak, mix, normalise, encode."""
    data = ctx.data
    _check_model(ctx.spec.model)
    ctx.progress("fetching_inputs", 0.05)
    voice_hz = _voice_pitch(ctx)
    delivery = _delivery(ctx, voice_hz)
    seed = seed_from(data.text)
    ctx.progress("synthesising_speech", 0.2)
    with ctx.timings.stage("infer"):
        spoken = speak(data.text, delivery, ctx.work, ctx.check_stop)
        ctx.progress("mixing", 0.5)
        line = _mixed(ctx, to_rate(spoken.samples, spoken.rate), seed)
        levels = measured(line.part, line.size)
        gain = levelled(levels)
        levels = levels.times(gain.steps)
    file = ctx.work / f"audio.{data.format}"
    with ctx.timings.stage("encode"):
        save_sound(_blocks(ctx, line, gain), file, data.format, data.text, Source.ALGORITHM)
    metadata = facts(seed=seed, model=_MODEL, libraries=("av", "espeakng-loader", "numpy")) | {
        "duration": round(line.size / RATE, 3),
        "sample_rate": RATE,
        "channels": 2,
        "loudness_lufs": round(levels.loudness, 1),
        "true_peak_dbtp": round(levels.true_peak, 1),
        "format": data.format,
        "voice": spoken.voice,
        "language": data.language or _LANGUAGE,
        "words_per_minute": delivery.rate,
        "file_size": file.stat().st_size,
    }
    if voice_hz is not None:
        metadata["voice_profile_pitch_hz"] = round(voice_hz, 1)
    content_type = "audio/mpeg" if data.format == "mp3" else "audio/wav"
    return Output([OutputFile(file, content_type)], metadata)


def _check_model(source: ModelSource | None) -> None:
    """A class that names another model wants another voice than this."""
    if source is not None and source.builtin != _MODEL:
        name = source.builtin or source.path or source.hub
        raise ModelMissing(
            "ModelNotSupported",
            f"process_audio speaks with {_MODEL} and cannot use {name}: remove spec.model from the MediaTaskClass, "
            "or give the class an image with a runner for that model",
        )


def _voice_pitch(ctx: Context[ProcessAudio]) -> float | None:
    """What can be followed of the voice profile: its mean pitch."""
    url = ctx.data.character_voice_profile
    recording = ctx.inputs.recording(url) if url else None
    if recording is None:
        return None
    pitch = mean_pitch(recording.samples, recording.rate)
    if pitch is None:
        ctx.warnings.append("character_voice_profile has too little voiced speech; it was not followed")
    else:
        ctx.warnings.append(
            f"of character_voice_profile only the mean pitch ({pitch:.0f} Hz) is followed; "
            "this synthesiser cannot take on its timbre"
        )
    return pitch


def _delivery(ctx: Context[ProcessAudio], voice_hz: float | None) -> Delivery:
    data = ctx.data
    feeling = emotion(data.emotion)
    if feeling is None:
        ctx.warnings.append(f"emotion {data.emotion!r} is not known; spoken neutrally")
    speed = pace(data.pace)
    if speed is None:
        ctx.warnings.append(f"pace {data.pace!r} is not known ({', '.join(PACES)}); spoken at normal pace")
    return deliver(data.language or _LANGUAGE, feeling or NEUTRAL, speed or 1.0, voice_hz)


def _mixed(ctx: Context[ProcessAudio], voice: Samples, seed: int) -> mix.Line:
    """The voice, over the background where one was asked for."""
    noise = ctx.data.background_noise
    background = None if noise is None else scene(noise, voice.size + _MARGIN, seed)
    if noise is not None and background is None:
        ctx.warnings.append(f"background_noise {noise!r} is not known; left out")
    return mix.Line(voice, background)


def _blocks(ctx: Context[ProcessAudio], line: mix.Line, gain: Gain) -> Iterator[Samples]:
    """The finished sound, second by second."""
    for start in range(0, line.size, RATE):
        ctx.check_stop()
        ctx.progress("encoding", 0.7 + 0.3 * start / line.size)
        yield gain.apply(line.part(start, min(start + RATE, line.size)), start)
