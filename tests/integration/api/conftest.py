"""The real API over a real API server and a Redis server, with the operator and the pods played by the test."""

from __future__ import annotations

import os
import secrets
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop

from mediatask_api.app import internal_app, public_app
from mediatask_api.dependencies import Services, open_services
from mediatask_api.http.errors import ApiError
from mediatask_api.settings import ApiSettings
from mediatask_common.access.keys import new_key
from mediatask_common.access.keysecret import KeysSecret
from mediatask_common.kube import NAMESPACES, PODS, SECRETS, TASKS, Kube, Object, Resource
from mediatask_common.redisview import RedisView
from mediatask_common.settings import StoreSettings
from mediatask_common.times import utcnow
from mediatask_crds.names import (
    LABEL_ATTEMPT,
    LABEL_CLASS,
    LABEL_MANAGED_BY,
    LABEL_PROJECT,
    LABEL_TASK,
    MANAGED_BY,
    label_value,
)
from mediatask_local.s3server import S3Server
from support.apiserver import embedded_apiserver
from support.front import until
from support.redisserver import redis_server
from support.s3server import s3_server, settings_of

PROMPT: dict[str, Any] = {
    "project_id": "film",
    "task_type": "test_prompt",
    "task_data": {"prompt_template": "Describe {{name}}", "test_parameters": {"name": "the alley"}},
    "metadata": {"user_id": "u1"},
}


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], AbstractEventLoop]]:
    """The event loop that the API's process has."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The embedded API server, or the one of KUBECONFIG_FOR_TESTS, which has our CRDs."""
    given = os.environ.get("KUBECONFIG_FOR_TESTS")
    if given:
        yield Path(given)
        return
    with embedded_apiserver(tmp_path_factory.mktemp("kube")) as path:
        yield path


@pytest.fixture
async def kube(kubeconfig: Path) -> AsyncIterator[Kube]:
    async with await Kube.connect(kubeconfig) as client:
        yield client


@asynccontextmanager
async def open_namespace(kube: Kube) -> AsyncIterator[str]:
    """A namespace in which pods can be made."""
    name = f"api-{secrets.token_hex(4)}"
    await kube.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    async def account() -> bool:
        accounts = await kube.list(Resource("", "v1", "serviceaccounts"), name)
        return any(item["metadata"]["name"] == "default" for item in accounts["items"])

    await until(account)
    yield name
    await kube.delete(NAMESPACES, name)


@pytest.fixture
async def namespace(kube: Kube) -> AsyncIterator[str]:
    async with open_namespace(kube) as name:
        yield name


@pytest.fixture
async def elsewhere(kube: Kube) -> AsyncIterator[str]:
    """A namespace that the public routes do not serve."""
    async with open_namespace(kube) as name:
        yield name


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with redis_server() as server:
        yield server.url


@dataclass
class World:
    """The API and everything around it."""

    services: Services
    kube: Kube
    namespace: str
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    api: httpx.AsyncClient = field(init=False)
    """A caller whose key is for all projects."""
    keys: KeysSecret = field(init=False)
    api_root: httpx.AsyncClient = field(init=False)
    """The same caller, for what is not under `/api/v1`."""
    internal: httpx.AsyncClient = field(init=False)
    """The internal listener, without credentials."""

    async def __aenter__(self) -> World:
        self.public = httpx.ASGITransport(public_app(self.services), raise_app_exceptions=False)
        self.keys = KeysSecret(self.kube, self.namespace, self.services.settings.api_keys_secret)
        self.made = 0
        self.api = await self.caller("*")
        self.api_root = await self.stack.enter_async_context(
            httpx.AsyncClient(transport=self.public, base_url="http://api", headers=self.api.headers)
        )
        self.internal = await self.stack.enter_async_context(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(internal_app(self.services), raise_app_exceptions=False),
                base_url="http://internal",
            )
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()

    async def caller(self, *projects: str, **key: Any) -> httpx.AsyncClient:
        """A client with a new key for some projects."""
        self.made += 1
        name = f"key-{self.made}"
        secret, stored = new_key(projects, **({"role": "producer"} if "scopes" not in key else {}) | key)
        await self.keys.create(name, stored, make_secret=True)

        async def known() -> bool:
            try:
                return self.services.keys.find(secret, utcnow() - timedelta(days=1)) is not None
            except ApiError:
                return True  # without Kubernetes from the start nobody knows any key

        await until(known)
        return await self.stack.enter_async_context(
            httpx.AsyncClient(transport=self.public, base_url="http://api/api/v1", headers={"X-API-Key": secret})
        )

    async def submit(self, **changes: Any) -> str:
        """A new task's id."""
        answer = await self.api.post("/tasks/submit", json={**PROMPT, **changes})
        assert answer.status_code == 202, answer.text
        task_id: str = answer.json()["task_id"]
        return task_id

    async def task(self, task_id: str) -> Object:
        """The resource."""
        return await self.kube.get(TASKS, task_id, self.namespace)

    async def set_status(self, task_id: str, **status: Any) -> Object:
        """Play the operator."""
        return await self.kube.patch(TASKS, task_id, {"status": status}, self.namespace, subresource="status")

    async def pod(self, task_id: str, attempt: int = 1, project: str = "film", **spec: Any) -> Object:
        """A pod as the operator's Job makes it."""
        labels = {
            LABEL_TASK: label_value(task_id),
            LABEL_ATTEMPT: str(attempt),
            LABEL_PROJECT: label_value(project),
            LABEL_CLASS: "demo-prompt",
            LABEL_MANAGED_BY: MANAGED_BY,
        }
        container = {"name": "job", "image": "python", **spec.pop("container", {})}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"pod-{secrets.token_hex(4)}", "labels": labels},
            "spec": {"containers": [container], "restartPolicy": "Never", **spec},
        }
        return await self.kube.create(PODS, body, self.namespace)

    async def token(self, pod: Object, audience: str = "mediatask") -> str:
        """A token bound to the pod, as the kubelet projects it."""
        reference = {"apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience], "expirationSeconds": 3600, "boundObjectRef": reference},
        }
        path = Resource("", "v1", "serviceaccounts").path(self.namespace, "default", "token")
        answer = await self.kube.request("POST", path, body)
        token: str = answer["status"]["token"]
        return token

    async def report(self, token: str, task_id: str, route: str, **body: Any) -> httpx.Response:
        """What a Job's process posts to an internal route."""
        return await self.internal.post(
            f"/internal/v1/tasks/{task_id}/{route}", json=body, headers={"Authorization": f"Bearer {token}"}
        )


@pytest.fixture
def open_world(kube: Kube, kubeconfig: Path, namespace: str, tmp_path: Path) -> Callable[..., Any]:
    """Opens the API in the test's namespace, with settings of the test's choice."""

    @asynccontextmanager
    async def opened(**changes: Any) -> AsyncIterator[World]:
        name = f"keys-{secrets.token_hex(2)}"
        await kube.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}, namespace)
        settings = ApiSettings(
            api_keys_secret=name,
            kubeconfig=changes.pop("kubeconfig", kubeconfig),
            namespace=namespace,
            store=changes.pop("store", None)
            or StoreSettings(folder=tmp_path / "media", get_url="http://api/media", put_url="http://internal/store"),
            **changes,
        )
        async with open_services(settings) as services, World(services, kube, namespace) as world:
            yield world

    return opened


@pytest.fixture
async def world(open_world: Callable[..., Any]) -> AsyncIterator[World]:
    """The API without Redis."""
    async with open_world() as opened:
        yield opened


@pytest.fixture
async def view(redis_url: str, namespace: str) -> AsyncIterator[RedisView]:
    """The operator's end of Redis."""
    opened = RedisView.open(redis_url, namespace)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(params=["file", "s3"])
async def place(request: pytest.FixtureRequest, open_world: Callable[..., Any]) -> AsyncIterator[World]:
    """The API on each kind of store."""
    store = settings_of(request.getfixturevalue("s3")) if request.param == "s3" else None
    async with open_world(store=store) as world:
        yield world


@pytest.fixture
def project() -> str:
    """One that no other test uses: stores are shared."""
    return f"film-{secrets.token_hex(4)}"
