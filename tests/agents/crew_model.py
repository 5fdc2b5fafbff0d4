"""A model for CrewAI without a network: submits a line of dialogue, corrects its mistake, waits, and names the media.

Runs in CrewAI's own environment: nothing of this project is there.
"""

from __future__ import annotations

import json
from typing import Any

from crewai import BaseLLM

MOST_CALLS = 20
WANTED = {
    "project_id": "detective_series_001",
    "task_data": {"text": "I have been expecting you, detective.", "emotion": "mysterious"},
}


class Scripted(BaseLLM):
    """Speaks as a model that calls tools does: a list of calls, or text, which is the final answer."""

    def call(self, messages: Any, tools: Any = None, *_: Any, **__: Any) -> Any:
        given = [messages] if isinstance(messages, str) else messages
        results = [message["content"] for message in given if message.get("role") == "tool"]
        if len(results) >= MOST_CALLS:
            return "gave up"
        names = [tool["function"]["name"] for tool in tools or []]
        if not results:
            return _call(names, "process_audio", {**WANTED, "task_data": {**WANTED["task_data"], "emotion": 7}})
        if "validation failed" in results[-1]:  # CrewAI looks at the schema itself
            return _call(names, "process_audio", WANTED)
        told, _ = json.JSONDecoder().raw_decode(results[-1][results[-1].index("{") :])  # links to the files follow
        if told["status"] in ("queued", "processing"):
            return _call(names, "wait_for_task", {"task_id": told["task_id"]})
        return f"{told['status']}: {told['result']['media_url']}"

    def supports_function_calling(self) -> bool:
        return True


def _call(names: list[str], wanted: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    name = next(name for name in names if name.endswith(wanted))  # CrewAI puts the server's name before it
    return [{"id": wanted, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}]


model = Scripted(model="scripted")
