"""A chat model without a network: asks for a line of dialogue as a language model would, first mistake included."""

from __future__ import annotations

import itertools
import json
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

WANTED = {
    "project_id": "detective_series_001",
    "task_data": {"text": "I have been expecting you, detective.", "emotion": "mysterious"},
}
_IDS = itertools.count()


class Scripted(BaseChatModel):
    """Submits, corrects what it is told to be wrong, waits, and names the media."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        assert {"process_audio", "wait_for_task"} <= {tool.name for tool in tools}
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=_next(messages[-1]))])


def _next(last: BaseMessage) -> AIMessage:
    if not isinstance(last, ToolMessage):
        faulty = {**WANTED, "task_data": {**WANTED["task_data"], "emotion": 7}}
        return _call("process_audio", faulty)
    told = json.loads(str(last.content))
    if any(fault["loc"][-1] == "emotion" for fault in told.get("errors", [])):
        return _call("process_audio", WANTED)
    if told["status"] in ("queued", "processing"):
        return _call("wait_for_task", {"task_id": told["task_id"]})
    return AIMessage(content=f"{told['status']}: {told['result']['media_url']}")


def _call(name: str, arguments: dict[str, Any]) -> AIMessage:
    return AIMessage(content="", tool_calls=[{"name": name, "args": arguments, "id": f"call-{next(_IDS)}"}])


model = Scripted()
