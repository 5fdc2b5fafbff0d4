"""`process_audio`: a spoken line, with a scene around it, at the loudness of a podcast."""

from __future__ import annotations

import numpy as np

from mediatask_crds.tasktypes.process_audio import ProcessAudio

from ..context import Context, Output, OutputFile
from ..outputs.facts import facts, seed_from
from ..outputs.provenance import Source
from ..sound import RATE, Samples, mix
from ..sound.ambience import ambience
from ..sound.delivery import FEMALE, NEUTRAL, PACES, Delivery, deliver, emotion, pace
from ..sound.encode import save_sound
from ..sound.loudness import loudness, normalised, true_peak
from ..sound.pitch import mean_pitch
from ..sound.resample import to_rate
from ..sound.speech import speak

_LANGUAGE = "en-US"


def run(ctx: Context[ProcessAudio]) -> Output:
    """Look at the voice profile, speak, mix, normalise, encode."""
    data = ctx.data
    ctx.progress("fetching_inputs", 0.05)
    voice_hz = _voice_pitch(ctx)
    delivery = _delivery(ctx, voice_hz)
    seed = seed_from(data.text)
    ctx.progress("synthesising_speech", 0.2)
    with ctx.timings.stage("infer"):
        spoken = speak(data.text, delivery, ctx.work, ctx.check_stop)
        _note_voice(ctx, spoken.voice, delivery)
        ctx.progress("mixing", 0.6)
        sound = _mixed(ctx, to_rate(spoken.samples, spoken.rate), seed)
        ctx.check_stop()
        sound = normalised(sound)
    ctx.progress("encoding", 0.85)
    file = ctx.work / f"audio.{data.format}"
    with ctx.timings.stage("encode"):
        save_sound(sound, file, data.format, data.text, Source.ALGORITHM)
    metadata = facts(seed=seed, model="espeak-ng", libraries=("av", "espeakng-loader", "numpy")) | {
        "duration": round(sound.shape[1] / RATE, 3),
        "sample_rate": RATE,
        "channels": sound.shape[0],
        "loudness_lufs": round(loudness(sound), 1),
        "true_peak_dbtp": round(true_peak(sound), 1),
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


def _note_voice(ctx: Context[ProcessAudio], voice: str, delivery: Delivery) -> None:
    if voice != delivery.voices[0]:
        wanted = ctx.data.language or _LANGUAGE
        ctx.warnings.append(f"no voice for {wanted}; spoken by {voice.removesuffix(FEMALE)!r}")


def _mixed(ctx: Context[ProcessAudio], voice: Samples, seed: int) -> Samples:
    """The voice as stereo, over the background where one was asked for."""
    noise = ctx.data.background_noise
    if noise is not None:
        line = mix.padded(voice, mix.AMBIENCE_LEAD_SECONDS, mix.AMBIENCE_TAIL_SECONDS)
        scene, unknown = ambience([noise], line.size, seed)
        if not unknown:
            return mix.over_ambience(line, scene)
        ctx.warnings.append(f"background_noise {noise!r} is not known; left out")
    line = mix.padded(voice, mix.LEAD_SECONDS, mix.TAIL_SECONDS)
    return np.stack([line, line])
