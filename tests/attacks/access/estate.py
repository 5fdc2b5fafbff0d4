"""What a project has: tasks in several states with all that belongs to them, an upload, words that only it knows."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from integration.api.conftest import World
from mediatask_common.access.keys import new_key
from mediatask_common.kube import PODS, TASKS, Object
from mediatask_common.store import log_key
from mediatask_crds.names import ANNOTATION_SUBMITTED_BY
from support.inputs import announced, png

STATES = ("queued", "processing", "completed", "failed")


@dataclass
class Target:
    """What a call is about."""

    name: str
    project: str
    ids: dict[str, str]
    """By the name of the path parameter that takes it."""
    exists: bool = True
    submitted_by: str = ""


@dataclass
class Estate:
    """A project and what it has."""

    project: str
    word: str
    """In everything that its people have written, and nowhere else."""
    tasks: dict[str, Object] = field(default_factory=dict)
    """By state."""
    spare: Object = field(default_factory=dict)
    """One more that has failed."""
    upload_id: str = ""
    key_id: str = ""
    media_key: str = ""
    pods: dict[str, Object] = field(default_factory=dict)

    @property
    def secrets(self) -> set[str]:
        """What strangers may not see."""
        return {
            self.project,
            self.word,
            self.upload_id,
            self.key_id,
            self.media_key,
            *(task["metadata"]["name"] for task in self.tasks.values()),
            *(task["metadata"]["uid"] for task in self.tasks.values()),
        }

    def targets(self, whose: str) -> list[Target]:
        """Each task, and beside it what else there is one of."""
        return [
            Target(
                f"{whose} {state}",
                self.project,
                {
                    "task_id": task["metadata"]["name"],
                    "project_id": self.project,
                    "upload_id": self.upload_id,
                    "key": self.media_key,
                },
                submitted_by=(task["metadata"].get("annotations") or {}).get(ANNOTATION_SUBMITTED_BY, ""),
            )
            for state, task in self.tasks.items()
        ]


def nobodys(project: str) -> Target:
    """What there is not, in names as long as those of what there is."""
    ids = {"task_id": str(uuid4()), "project_id": project, "upload_id": secrets.token_hex(16)}
    return Target("absent", project, ids | {"key": f"projects/{project}/{uuid4()}/1/image.png"}, exists=False)


async def estate(world: World, project: str) -> Estate:
    """A new project with everything in it."""
    made = Estate(project, f"word-{secrets.token_hex(6)}")
    for state in STATES:
        made.tasks[state] = await _task(world, made, state)
    made.key_id = await key_of(world, project)
    made.spare = await _task(world, made, "failed")
    made.upload_id = await upload_of(world, project, made.word)
    return made


async def upload_of(world: World, project: str, word: str) -> str:
    """The id of a new upload of the project."""
    content = png()
    grant = (await world.api.post("/uploads", json=announced(content, project, filename=f"{word}.png"))).json()
    sent = await world.api.put(grant["url"], headers=grant["headers"], content=content)
    assert sent.is_success, sent.text
    upload_id: str = grant["upload_id"]
    return upload_id


async def _task(world: World, made: Estate, state: str) -> Object:
    task_id = await world.submit(
        project_id=made.project,
        task_data={"prompt_template": made.word},
        metadata={"said": made.word},
        tags=[made.word],
        callback_url=f"https://{made.word}.example.com/hook",
    )
    uid = (await world.task(task_id))["metadata"]["uid"]
    status: dict[str, Any] = {"phase": state, "attempt": 1, "currentStep": made.word}
    if state != "queued":
        pod = await world.pod(task_id, project=made.project, nodeName="node")
        phase = "Running" if state == "processing" else "Succeeded"
        await world.kube.patch(
            PODS, pod["metadata"]["name"], {"status": {"phase": phase}}, world.namespace, subresource="status"
        )
        made.pods[state] = pod
        await world.services.store.create(log_key(made.project, uid, 1), f"{made.word}\n".encode(), "text/plain")
    if state == "completed":
        content = png()
        made.media_key = f"projects/{made.project}/{uid}/1/image.png"
        await world.services.store.create(made.media_key, content, "image/png")
        artifact = {
            "name": "image.png", "key": made.media_key, "bytes": len(content), "contentType": "image/png",
            "sha256": hashlib.sha256(content).hexdigest(),
        }  # fmt: skip
        status |= {"result": {"artifacts": [artifact], "metadata": {"said": made.word}}}
    if state == "failed":
        status |= {"error": {"code": "Said", "message": made.word, "retryable": True}}
    if state in ("completed", "failed"):
        status |= {
            "className": made.word, "completedAt": "2026-11-21T10:00:00Z", "cost": {"gpuSeconds": 4321.5},
            "callback": {"id": f"w-{made.word}", "event": f"task.{state}", "attempts": 1, "lastStatusCode": 204,
                         "deliveredAt": "2026-11-21T10:00:05Z"},
        }  # fmt: skip
    return await world.set_status(task_id, **status)


async def key_of(world: World, project: str) -> str:
    """The name of a new key of a project, which may do one thing: manage keys."""
    name = f"key-{secrets.token_hex(6)}"
    await world.keys.create(name, new_key([project], scopes=["keys:admin"])[1])
    return name


async def everything(world: World, *estates: Estate) -> dict[str, Any]:
    """What API server and store have of these projects, but for the spare tasks: what nobody else's call changes."""
    found: dict[str, Any] = {}
    if not estates:
        return found
    projects, spare = {each.project for each in estates}, {each.spare["metadata"]["name"] for each in estates}
    async for task in world.kube.list_all(TASKS, world.namespace):
        if task["spec"]["projectId"] in projects and task["metadata"]["name"] not in spare:
            found[f"task {task['metadata']['name']}"] = task["metadata"]["resourceVersion"]
    stored = await world.keys.read()
    for name, key in (stored.keys if stored else {}).items():
        if set(key.projects) & projects:
            found[f"key {name}"] = key
    for project in projects:
        for folder in (f"projects/{project}/", f"uploads/{project}/"):
            async for item in world.services.store.objects(folder):
                found[item.key] = item.bytes
    return found
