"""The four example tasks of the platform's quickstart, with inputs that exist."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from .alley import Shot, draw_alley
from .effects import LAMP, MOON
from .portraits import draw_portrait, draw_style_guide
from .voice import voice_profile

SEED = 1940
"""Fixed, so that every run of the demo draws the same picture."""

Request = dict[str, Any]
File = tuple[str, bytes]
"""Media type and content."""


def make_inputs() -> dict[str, File]:
    """The pictures and the voice that the tasks refer to, by path."""
    pictures = {
        "/frame1.jpg": draw_alley(Shot()),
        "/frame2.jpg": draw_alley(Shot(camera_height=1.0, focal=1.25, detective_x=-0.5, detective_z=5.2, seed=2)),
        "/noir_style_guide.jpg": draw_style_guide(),
        "/ref1.jpg": draw_portrait(LAMP, lean=-0.08, seed=1),
        "/ref2.jpg": draw_portrait(MOON, lean=0.10, seed=3),
    }
    files = {path: ("image/jpeg", _jpeg(picture)) for path, picture in pictures.items()}
    return files | {"/detective_voice.wav": ("audio/wav", voice_profile())}


def requests(base_url: str, callback_url: str) -> list[Request]:
    """Submit bodies; `base_url` serves what `make_inputs` made."""
    story = "detective_series_001"
    bodies: list[Request] = [
        {
            "project_id": story,
            "task_type": "generate_video",
            "task_data": {
                "storyboard_images": [f"{base_url}/frame1.jpg", f"{base_url}/frame2.jpg"],
                "scene_description": "Detective enters the dark alley",
                "camera_angle": "wide_shot",
                "lighting": "noir_dramatic",
                "character_positions": ["detective_center"],
                "audio_cues": ["footsteps", "rain_ambience"],
                "seed": SEED,
            },
            "priority": 1,
            "metadata": {"user_id": "user123", "agent_id": "video_generation_agent", "scene_id": "scene_005"},
        },
        {
            "project_id": story,
            "task_type": "generate_image",
            "task_data": {
                "character_description": "Detective in 1920s noir style",
                "style_guide": f"{base_url}/noir_style_guide.jpg",
                "reference_images": [f"{base_url}/ref1.jpg", f"{base_url}/ref2.jpg"],
                "pose": "standing_confident",
                "lighting": "dramatic_shadow",
                "seed": SEED,
            },
            "priority": 2,
            "metadata": {
                "user_id": "user123",
                "agent_id": "character_design_agent",
                "character_id": "detective_main",
            },
        },
        {
            "project_id": story,
            "task_type": "process_audio",
            "task_data": {
                "text": "I have been expecting you, detective.",
                "character_voice_profile": f"{base_url}/detective_voice.wav",
                "emotion": "mysterious",
                "pace": "normal",
                "background_noise": "rain_ambience",
            },
            "priority": 2,
            "metadata": {
                "user_id": "user123",
                "agent_id": "voice_synthesis_agent",
                "dialogue_id": "scene_005_line_001",
            },
        },
        {
            "project_id": "test_project",
            "task_type": "test_prompt",
            "task_data": {
                "prompt_id": "prompt_character_01",
                "prompt_template": (
                    "You are a {{agent}}. Describe {{character.name}}, {{character.role}}, as we meet them in "
                    "{{place}}. Give one secret and one line of dialogue."
                ),
                "agent_type": "character_creator",
                "test_parameters": {
                    "agent": "character creator for a noir series",
                    "character": {"name": "Vera Lang", "role": "a detective in the 1920s"},
                    "place": "a dark alley in the rain",
                },
                "test_result_id": "test_result_01",
            },
            "metadata": {"userId": "user_id", "testResultId": "test_result_01"},
        },
    ]
    return [{**body, "callback_url": callback_url} for body in bodies]


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()
