"""The front door that one would write in an afternoon with FastAPI, Celery and Redis, with the same calls as ours.

A task is a JSON document and a place in its project's list, both in Redis, and a message in Celery's queue; with
`appendonly yes` and `appendfsync always` all three are on the disk before the caller has an answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import redis
import redis.asyncio
from celery import Celery
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

REDIS_URL = os.environ["REDIS_URL"]
KEYS = {os.environ["API_KEY_SHA256"]: "bench"}
TYPICAL_SECONDS = 30

queue = Celery("media", broker=REDIS_URL, task_ignore_result=True)
writing = redis.Redis.from_url(REDIS_URL, decode_responses=True)
# More than the default of 100: each stream of events keeps one.
reading = redis.asyncio.Redis.from_url(REDIS_URL, decode_responses=True, max_connections=1024)
app = FastAPI()


@queue.task
def generate(task_id: str, task_data: dict[str, Any]) -> None:
    """One picture takes longer than the measurement: the other tasks wait, as they do for our operator's slot."""
    change(task_id, status="processing", started_at=now())
    time.sleep(3600)


def change(task_id: str, **changes: Any) -> None:
    """Write to a task, and tell who follows it."""
    task = json.loads(writing.get(f"task:{task_id}") or "{}") | changes
    writing.pipeline().set(f"task:{task_id}", json.dumps(task)).publish(f"events:{task_id}", json.dumps(task)).execute()


def now() -> str:
    return datetime.now(UTC).isoformat()


def project_of(x_api_key: Annotated[str, Header()]) -> str:
    """The caller's project."""
    project = KEYS.get(hashlib.sha256(x_api_key.encode()).hexdigest())
    if project is None:
        raise HTTPException(401, "not a valid key")
    return project


Project = Annotated[str, Depends(project_of)]


class TaskData(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    prompt: Annotated[str, Field(min_length=1, max_length=10_000)]
    width: Annotated[int, Field(ge=64, le=4096)] = 1024
    height: Annotated[int, Field(ge=64, le=4096)] = 1024
    seed: int | None = None


class Submit(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    project_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,63}$")]
    task_type: Annotated[str, Field(pattern="^generate_image$")]
    task_data: TaskData
    priority: Annotated[int, Field(ge=0, le=9)] = 5
    metadata: dict[str, Any] = {}


# Not async: Celery's client blocks.
@app.post("/api/v1/tasks/submit", status_code=202)
def submit(wanted: Submit, project: Project) -> dict[str, Any]:
    if wanted.project_id != project:
        raise HTTPException(403, "not your project")
    task_id, created_at = str(uuid.uuid4()), now()
    task = {
        "task_id": task_id,
        "project_id": project,
        "task_type": wanted.task_type,
        "status": "queued",
        "progress": 0.0,
        "current_step": "waiting_in_queue",
        "result": None,
        "error": None,
        "created_at": created_at,
        "started_at": None,
        "completed_at": None,
        "priority": wanted.priority,
        "metadata": wanted.metadata,
    }
    written = writing.pipeline()
    written.set(f"task:{task_id}", json.dumps(task))
    written.zadd(f"project:{project}", {task_id: time.time()})
    written.zcard(f"project:{project}")
    position = written.execute()[-1]
    generate.apply_async((task_id, wanted.task_data.model_dump()), task_id=task_id)
    return {
        "task_id": task_id,
        "status": "queued",
        "project_id": project,
        "estimated_duration": TYPICAL_SECONDS,
        "queue_position": position,
        "created_at": created_at,
    }


async def find(task_id: str, project: str) -> dict[str, Any]:
    task = json.loads(await reading.get(f"task:{task_id}") or "{}")
    if task.get("project_id") != project:
        raise HTTPException(404, "no such task")
    return task


@app.get("/api/v1/tasks/{task_id}/status")
async def status(task_id: str, project: Project) -> dict[str, Any]:
    return await find(task_id, project)


@app.get("/api/v1/projects/{project_id}/tasks")
async def tasks(project_id: str, project: Project, page: int = 1, limit: int = 20) -> dict[str, Any]:
    if project_id != project:
        raise HTTPException(404, "no such project")
    start = (page - 1) * limit
    asked = reading.pipeline().zrevrange(f"project:{project}", start, start + limit - 1).zcard(f"project:{project}")
    names, total = await asked.execute()
    found = [json.loads(task) for task in await reading.mget([f"task:{name}" for name in names])] if names else []
    return {"tasks": found, "total": total, "page": page, "limit": limit, "pages": -(-total // limit)}


@app.get("/api/v1/tasks/{task_id}/events")
async def events(task_id: str, project: Project) -> StreamingResponse:
    await find(task_id, project)

    async def stream() -> AsyncIterator[str]:
        async with reading.pubsub() as news:
            await news.subscribe(f"events:{task_id}")
            # Read again: it may have changed before the subscription held.
            yield message(await find(task_id, project))
            async for one in news.listen():
                if one["type"] == "message":
                    yield message(json.loads(one["data"]))

    return StreamingResponse(stream(), media_type="text/event-stream")


def message(task: dict[str, Any]) -> str:
    return f"event: {task['status']}\ndata: {json.dumps(task)}\n\n"
