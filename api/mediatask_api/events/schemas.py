"""The events as the OpenAPI document shows them."""

from __future__ import annotations

from typing import Any

_EXAMPLE = """retry: 1000

id: 0a4e4c6e.0.1.0.0.0
event: queued
data: {"task_id":"5f0c2d0e-7a43-5c0b-9d2e-0c9a6f9f5b1e","project_id":"film","status":"queued","progress":0.0,\
"current_step":"waiting_in_queue","attempt":0,"timestamp":"2026-11-21T10:30:00Z"}

id: 0a4e4c6e.0.1.2.450.1795256130123
event: progress
data: {"task_id":"5f0c2d0e-7a43-5c0b-9d2e-0c9a6f9f5b1e","project_id":"film","status":"processing","progress":0.45,\
"current_step":"denoising","attempt":1,"timestamp":"2026-11-21T10:30:15Z"}

: heartbeat

id: 0a4e4c6e.0.2.3.0.0
event: completed
data: {"task_id":"5f0c2d0e-7a43-5c0b-9d2e-0c9a6f9f5b1e","project_id":"film","status":"completed","progress":1.0,\
"current_step":"upload_complete","attempt":1,"timestamp":"2026-11-21T10:30:20Z","result":{"media_url":"https://..."}}

"""

EVENT_STREAM: dict[str, Any] = {
    "description": (
        "Server-sent events: `queued`, `started`, `progress`, `log`, `preview`, `completed`, `failed`, `cancelled`, "
        "each with a JSON object as its data. A stream that ends before its time says why in a last message, `closed`, "
        "with `reason` slow_reader, access_ended, draining, time_limit or deleted; connect again with `Last-Event-ID`."
    ),
    "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
}
