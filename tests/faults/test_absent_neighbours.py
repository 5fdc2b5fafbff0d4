"""A neighbour is away for the whole life of a task: the task's conditions tell the truth, and it is caught up with.

A neighbour is one subclass of `Neighbour` and a line in `NEIGHBOURS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mediatask_common.kube import CLASSES, TASKS, Kube, Object
from mediatask_local.s3server import S3Server
from mediatask_local.up import UpInfo, embedded
from support import s3server
from support.mode import Receiver, Rest, in_view, listed, until
from support.payload.server import RunningPayload, payload_server
from support.redisserver import RunningRedis, redis_server

TOTAL_SECONDS = 12
"""Of a task whose media finds no store: without a deadline it would wait for it."""
HURRIED = "in-a-hurry"
PROJECT = "absent"


@dataclass
class Platform:
    """The local mode and all its neighbours, which are there."""

    info: UpInfo
    rest: Rest
    payload: RunningPayload
    redis: RunningRedis
    receiver: Receiver
    s3: S3Server
    folder: Path
    running: contextlib.ExitStack
    """The S3 server."""

    def start_s3(self) -> None:
        self.running.enter_context(s3server.running(self.s3, self.folder / "s3.log"))

    def condition(self, task: str, kind: str) -> tuple[str, str]:
        """Status and reason of a condition; empty while there is none."""
        conditions = asyncio.run(_task(self.info.kubeconfig, task)).get("status", {}).get("conditions", [])
        return next(((one["status"], one["reason"]) for one in conditions if one["type"] == kind), ("", ""))


async def _task(kubeconfig: Path, name: str) -> Object:
    async with await Kube.connect(kubeconfig) as kube:
        return await kube.get(TASKS, name, "default")


async def _make_class(kubeconfig: Path) -> None:
    """A class whose tasks give up soon."""
    async with await Kube.connect(kubeconfig) as kube:
        spec = (await kube.get(CLASSES, "demo-prompt"))["spec"]
        await kube.create(
            CLASSES,
            {
                "apiVersion": "tasks.ft.tc/v1alpha1",
                "kind": "MediaTaskClass",
                "metadata": {"name": HURRIED},
                "spec": {
                    **spec,
                    "default": False,
                    "deadlines": {"totalSeconds": TOTAL_SECONDS},
                    "retry": {"limit": 0},
                },
            },
        )


async def _create(kubeconfig: Path, name: str, **spec: Any) -> None:
    body = {
        "apiVersion": "tasks.ft.tc/v1alpha1",
        "kind": "MediaTask",
        "metadata": {"name": name},
        "spec": {
            "projectId": PROJECT,
            "taskType": "test_prompt",
            "taskData": {"prompt_template": "a {{what}}", "test_parameters": {"what": name}},
            **spec,
        },
    }
    async with await Kube.connect(kubeconfig) as kube:
        await kube.create(TASKS, body, "default")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("neighbours")
    with (
        payload_server(folder / "payload") as payload,
        redis_server() as redis,
        Receiver() as receiver,
        contextlib.ExitStack() as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        s3 = S3Server(s3server.s3_program(), folder / "objects", s3server.free_port(), "key-id", "secret-key")
        s3.make_bucket()
        store = s3server.settings_of(s3)
        patch.setenv("PAYLOAD_API_URL", payload.url)
        patch.setenv("PAYLOAD_API_KEY", payload.key)
        patch.setenv("MEDIATASK_PAYLOAD_WEBHOOK_WAIT_SECONDS", "1")
        patch.delenv("MEDIATASK_REDIS_URL", raising=False)
        patch.setenv("REDIS_URL", redis.url)
        for name in ("endpoint_url", "bucket", "region", "addressing"):
            patch.setenv(f"MEDIATASK_STORE_{name.upper()}", str(getattr(store, name)))
        patch.setenv("MEDIATASK_STORE_ACCESS_KEY_ID", s3.access_key_id)
        patch.setenv("MEDIATASK_STORE_SECRET_ACCESS_KEY", s3.secret_access_key)
        running.enter_context(s3server.running(s3, folder / "s3.log"))
        with embedded(folder / "state", store="s3") as info:
            receiver.secret = info.webhook_secret
            asyncio.run(_make_class(info.kubeconfig))
            yield Platform(info, Rest(info), payload, redis, receiver, s3, folder, running)


class Neighbour:
    """One that can be away."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def submit(self) -> str:
        """The task's id."""
        return self.platform.rest.submit(type(self).__name__, PROJECT, callback_url=self.platform.receiver.url)

    def leave(self) -> None: ...
    def come_back(self) -> None: ...

    def truth(self, task: str) -> tuple[str, str, str]:
        """Status of the task; status and reason of the condition that tells of the absence."""
        raise NotImplementedError

    def caught_up(self, task: str) -> bool:
        raise NotImplementedError


class PayloadCms(Neighbour):
    def leave(self) -> None:
        self.platform.payload.stop()

    def come_back(self) -> None:
        self.platform.payload.start()

    def truth(self, task: str) -> tuple[str, str, str]:
        return self.platform.rest.status(task)["status"], *self.platform.condition(task, "Registered")

    def caught_up(self, task: str) -> bool:
        documents = [one for one in self.platform.payload.documents() if one["task_id"] == task]
        named = self.platform.rest.status(task)["result"]["payload_media_id"]
        return named is not None and [str(one["id"]) for one in documents] == [named]


class WebhookReceiver(Neighbour):
    def leave(self) -> None:
        self.platform.receiver.close()

    def come_back(self) -> None:
        self.platform.receiver.open()

    def truth(self, task: str) -> tuple[str, str, str]:
        return self.platform.rest.status(task)["status"], *self.platform.condition(task, "CallbackDelivered")

    def caught_up(self, task: str) -> bool:
        return self.platform.condition(task, "CallbackDelivered")[0] == "True" and task in self.platform.receiver.ids


class Redis(Neighbour):
    def leave(self) -> None:
        self.platform.redis.stop()

    def come_back(self) -> None:
        self.platform.redis.start()

    def truth(self, task: str) -> tuple[str, str, str]:
        answer = self.platform.rest.status(task)["status"]
        return answer, *self.platform.condition(task, "Complete")

    def caught_up(self, task: str) -> bool:
        return task in in_view(self.platform.info, PROJECT) and task in listed(self.platform.info, PROJECT)


class Store(Neighbour):
    def submit(self) -> str:
        asyncio.run(_create(self.platform.info.kubeconfig, "store-away", className=HURRIED))
        return "store-away"

    def leave(self) -> None:
        self.platform.running.close()

    def come_back(self) -> None:
        self.platform.start_s3()
        self.platform.rest.retry("store-away")

    def truth(self, task: str) -> tuple[str, str, str]:
        return self.platform.rest.status(task)["status"], *self.platform.condition(task, "Failed")

    def caught_up(self, task: str) -> bool:
        status = self.platform.rest.status(task)["status"]
        if status == "failed":  # not quick enough on a busy machine
            self.platform.rest.retry(task)
        return status == "completed"


NEIGHBOURS: dict[type[Neighbour], tuple[str, str, str]] = {
    PayloadCms: ("completed", "False", "PayloadAway"),
    WebhookReceiver: ("completed", "False", "Retrying"),
    Redis: ("completed", "True", "Completed"),
    Store: ("failed", "True", "TotalDeadlineExceeded"),
}
"""What the task has to say of the absence."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", NEIGHBOURS, ids=lambda kind: kind.__name__)
def test_away_for_the_whole_life_of_a_task(
    platform: Platform, kind: type[Neighbour], figure: Callable[[str], None]
) -> None:
    neighbour, wanted = kind(platform), NEIGHBOURS[kind]
    neighbour.leave()
    try:
        began = time.monotonic()
        task = neighbour.submit()
        until(lambda: platform.rest.has_ended(task))
        until(lambda: neighbour.truth(task) == wanted, 30)
        told = time.monotonic() - began
    finally:
        neighbour.come_back()
    began = time.monotonic()
    until(lambda: neighbour.caught_up(task), 120)
    caught_up = time.monotonic() - began
    status, _, reason = wanted
    figure(f"{status}, {reason} after {told:.1f} s; caught up {caught_up:.1f} s after the return")
