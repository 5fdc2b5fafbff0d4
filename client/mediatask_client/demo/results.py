"""What the demo leaves in its folder: the media, the webhooks, the final states."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from .._sync.client import Client
from ..files import main_name
from ..models import Task
from .environment import Delivery

NAMES = {
    "generate_image": "image",
    "generate_video": "video",
    "process_audio": "audio",
    "test_prompt": "prompt",
}
"""File names without suffix, by task type."""
TASKS, WEBHOOKS, SECRET, POSTER = "tasks.json", "webhooks.jsonl", "webhook-secret.json", "demo.png"


def clear(out: Path) -> None:
    """Remove what an earlier demo left, so that all that lies there is of this one."""
    for pattern in (*(f"{name}.*" for name in NAMES.values()), TASKS, WEBHOOKS, SECRET, POSTER):
        for path in out.glob(pattern):
            path.unlink()


def download(client: Client, tasks: Iterable[Task], out: Path) -> dict[str, Path]:
    """The media of completed tasks, by task type."""
    paths = {}
    for task in tasks:
        (media, *_) = task.artifacts()
        kind = str(task.task_type)
        paths[kind] = client.fetch(media, out / main_name(NAMES[kind], media))
    return paths


def write_records(out: Path, tasks: Iterable[Task], webhooks: Iterable[Delivery], secret: str) -> None:
    """States, webhooks, and the secret of this run, by which anyone can check their signatures again."""
    (out / TASKS).write_text(json.dumps([task.raw() for task in tasks], indent=2, ensure_ascii=False) + "\n")
    (out / WEBHOOKS).write_text("".join(delivery.line() + "\n" for delivery in webhooks))
    (out / SECRET).write_text(json.dumps({"secret": secret}) + "\n")


def in_words(task: Task) -> str:
    """The result's main facts, one line."""
    facts = task.result.metadata if task.result else {}
    match task.task_type:
        case "generate_image":
            return f"{facts['width']}x{facts['height']}, {facts['model']}, seed {facts['seed']}"
        case "generate_video":
            return f"{facts['duration']:g} s, {facts['resolution']}, {facts['fps']} fps, H.264 and AAC"
        case "process_audio":
            return f"{facts['duration']:.1f} s of speech, {facts['loudness_lufs']:.1f} LUFS"
        case _:
            return f"{facts['tokens_used']} tokens, {facts['model']}"
