"""The platform's own quickstart, call by call, against the local mode."""

from __future__ import annotations

import re
import subprocess
import time
from typing import Any

import httpx
import pytest

# task-service-quickstart.md, unchanged but for the key; these URLs lead nowhere, as in the document.
VIDEO = r"""
curl -s -X POST http://localhost:8001/api/v1/tasks/submit \
  -H "Content-Type: application/json" \
  -H "X-API-Key: your-api-key-here" \
  -d '{
    "project_id": "detective_series_001",
    "task_type": "generate_video",
    "task_data": {
      "storyboard_images": [
        "https://example.com/frame1.jpg",
        "https://example.com/frame2.jpg"
      ],
      "scene_description": "Detective enters the dark alley",
      "camera_angle": "wide_shot",
      "lighting": "noir_dramatic",
      "character_positions": ["detective_center"],
      "audio_cues": ["footsteps", "rain_ambience"]
    },
    "priority": 1,
    "callback_url": "https://main-app.com/api/webhooks/task-complete",
    "metadata": {
      "user_id": "user123",
      "agent_id": "video_generation_agent",
      "scene_id": "scene_005"
    }
  }'
"""
IMAGE = r"""
curl -s -X POST http://localhost:8001/api/v1/tasks/submit \
  -H "Content-Type: application/json" \
  -H "X-API-Key: your-api-key-here" \
  -d '{
    "project_id": "detective_series_001",
    "task_type": "generate_image",
    "task_data": {
      "character_description": "Detective in 1920s noir style",
      "style_guide": "https://example.com/noir_style_guide.jpg",
      "reference_images": [
        "https://example.com/ref1.jpg",
        "https://example.com/ref2.jpg"
      ],
      "pose": "standing_confident",
      "lighting": "dramatic_shadow"
    },
    "priority": 2,
    "metadata": {
      "user_id": "user123",
      "agent_id": "character_design_agent",
      "character_id": "detective_main"
    }
  }'
"""
AUDIO = r"""
curl -s -X POST http://localhost:8001/api/v1/tasks/submit \
  -H "Content-Type: application/json" \
  -H "X-API-Key: your-api-key-here" \
  -d '{
    "project_id": "detective_series_001",
    "task_type": "process_audio",
    "task_data": {
      "text": "I have been expecting you, detective.",
      "character_voice_profile": "https://example.com/detective_voice.wav",
      "emotion": "mysterious",
      "pace": "normal",
      "background_noise": "rain_ambience"
    },
    "priority": 2,
    "metadata": {
      "user_id": "user123",
      "agent_id": "voice_synthesis_agent",
      "dialogue_id": "scene_005_line_001"
    }
  }'
"""


def curl(command: str, info: Any) -> dict[str, Any]:
    """Run a command of the document, at this instance's address and with its key."""
    adapted = command.replace("http://localhost:8001", info.api_url).replace("your-api-key-here", info.api_key)
    done = subprocess.run(["bash", "-c", adapted], capture_output=True, text=True, timeout=30, check=True)
    answer: dict[str, Any] = httpx.Response(200, text=done.stdout).json()
    return answer


def finished(info: Any, task_id: str, seconds: float = 150) -> dict[str, Any]:
    """The final status; on the way, progress may only grow and the status words only advance."""
    words, progress, last = ["queued", "processing", "completed"], -1.0, 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = curl(
            f'curl -s http://localhost:8001/api/v1/tasks/{task_id}/status -H "X-API-Key: your-api-key-here"', info
        )
        assert answer["status"] in words, answer
        assert words.index(answer["status"]) >= last, "the status went back"
        assert answer["progress"] >= progress, "the progress went back"
        last, progress = words.index(answer["status"]), answer["progress"]
        if answer["status"] == "completed":
            return answer
        time.sleep(0.3)
    raise AssertionError(f"{task_id} did not finish: {answer}")


@pytest.mark.parametrize("command", [VIDEO, IMAGE, AUDIO], ids=["video", "image", "audio"])
def test_the_documents_own_calls_reach_completed(embedded_mode: Any, command: str) -> None:
    submitted = curl(command, embedded_mode)
    assert submitted["status"] == "queued"
    assert submitted["project_id"] == "detective_series_001"
    assert isinstance(submitted["estimated_duration"], int)
    assert isinstance(submitted["queue_position"], int)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", submitted["created_at"])
    done = finished(embedded_mode, submitted["task_id"])
    assert done["current_step"] == "upload_complete"
    assert done["progress"] == 1.0
    assert set(done["result"]) >= {"media_url", "payload_media_id", "metadata"}
    warnings = " ".join(map(str, done["result"]["metadata"]["warnings"]))
    assert "example.com" in warnings, "what could not be fetched is said"
    media = httpx.get(done["result"]["media_url"])
    assert media.status_code == 200
    assert len(media.content) == done["result"]["metadata"]["file_size"]


def test_lists_filters_and_monitoring(embedded_mode: Any) -> None:
    key = '-H "X-API-Key: your-api-key-here"'
    body = '{"project_id": "listed_project", "task_type": "test_prompt", "task_data": {"prompt_template": "hi"}}'
    submit = "curl -s -X POST http://localhost:8001/api/v1/tasks/submit -H 'Content-Type: application/json'"
    task = curl(f"{submit} {key} -d '{body}'", embedded_mode)
    finished(embedded_mode, task["task_id"])
    base = "curl -s http://localhost:8001/api/v1/"
    listed = curl(f"{base}'projects/listed_project/tasks?page=1&limit=10' {key}", embedded_mode)
    assert {key: listed[key] for key in ("total", "page", "limit", "pages")} == {
        "total": 1, "page": 1, "limit": 10, "pages": 1,
    }  # fmt: skip
    assert listed["tasks"][0]["task_id"] == task["task_id"]
    for query, total in (("status=completed", 1), ("status=failed", 0), ("task_type=generate_video", 0)):
        assert curl(f"{base}projects/listed_project/tasks?{query} {key}", embedded_mode)["total"] == total, query
    workers = curl(f"{base}workers/status {key}", embedded_mode)
    assert set(workers) >= {"workers", "total_workers", "active_workers", "gpu_utilization"}
    assert curl(f"{base}health", embedded_mode)["status"] in ("ok", "healthy")


def test_cancel_and_retry_by_the_documents_calls(embedded_mode: Any) -> None:
    key = '-H "X-API-Key: your-api-key-here"'
    task = curl(AUDIO, embedded_mode)["task_id"]
    curl(f"curl -s -X DELETE http://localhost:8001/api/v1/tasks/{task}/cancel {key}", embedded_mode)
    deadline = time.monotonic() + 30
    status: dict[str, Any] = {}
    while status.get("status") != "cancelled" and time.monotonic() < deadline:
        status = curl(f"curl -s http://localhost:8001/api/v1/tasks/{task}/status {key}", embedded_mode)
        time.sleep(0.2)
    assert status["status"] == "cancelled"
    again = curl(f"curl -s -X POST http://localhost:8001/api/v1/tasks/{task}/retry {key}", embedded_mode)
    assert again["task_id"] == task
    assert finished(embedded_mode, task)["attempt"] >= 1
