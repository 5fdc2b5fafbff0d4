"""The processes of an installation: operator and API, each as its service account, a Redis, a receiver of webhooks."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import yaml

from cluster.harness import service_account_kubeconfig
from cluster.harness.wait import wait_for
from cluster.kits.played.chart import RELEASE, apply, definitions, remove, render
from cluster.kits.played.receiver import Receiver
from mediatask_api.auth.keys import dump_keys, new_key
from mediatask_common.kube import CLASSES, NAMESPACES, Kube, KubeError, Object, Resource
from mediatask_common.settings import StoreSettings
from mediatask_common.store import ArtifactStore, open_store
from mediatask_crds.names import API_VERSION
from support.processes import free_port, python_module, wait_for_port
from support.redisserver import redis_server

DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
JOB_ACCOUNT = "default"
HOST = "127.0.0.1"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Installed:
    """An installation whose processes run here.

    Attributes:
        namespace: the release's, and the one whose tasks the API serves.
        api_url: the API's public listener.
        internal_url: its listener for pods.
        api_key: a key for all projects.
        receiver: where webhooks arrive.
        kubeconfigs: with the rights of `operator` and `api`.
    """

    def __init__(self, folder: Path, admin: Path, namespace: str, watched: list[str]) -> None:
        self.folder = folder
        self.namespace = namespace
        self.receiver = Receiver(SECRET)
        self._watched = watched
        self._stack = ExitStack()
        self._operator: subprocess.Popen[str] | None = None
        self._operator_lives = ExitStack()
        self._starts = 0
        self._ports = {name: free_port() for name in ("api", "internal")}
        self.api_url, self.internal_url = (f"http://{HOST}:{self._ports[name]}" for name in ("api", "internal"))
        self.api_key, stored = new_key("test", ["*"])
        (folder / "keys.json").write_bytes(dump_keys([stored]))
        (folder / "webhook-secrets").write_text(SECRET)
        (folder / "store-secret").write_text(secrets.token_hex(32))
        (folder / "classes.yaml").write_text(yaml.safe_dump(task_class(namespace, default=True)))
        self.kubeconfigs = {
            component: service_account_kubeconfig(
                admin, namespace, f"{RELEASE}-{component}", folder / f"{component}.kubeconfig"
            )
            for component in ("operator", "api")
        }

    def __enter__(self) -> Installed:
        self._stack.enter_context(self.receiver)
        self._redis = self._stack.enter_context(redis_server())
        self._stack.callback(self.stop_operator)
        self.start_operator()
        log = self.folder / "api.log"
        api = self._stack.enter_context(python_module("mediatask_api", env=self._environment("api"), log=log))
        wait_for_port(self._ports["api"], api, log)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # ---- the operator's life

    def start_operator(self) -> None:
        """Start it; returns when it serves its health port, which is before it has read everything."""
        self._starts += 1
        log = self.folder / f"operator-{self._starts}.log"
        port = free_port()
        environment = self._environment("operator") | {"MEDIATASK_HEALTH_PORT": str(port)}
        self._operator = self._operator_lives.enter_context(
            python_module("mediatask_operator", env=environment, log=log)
        )
        wait_for_port(port, self._operator, log)

    def operator_log(self, lines: int = 40) -> str:
        """The last that the operator said."""
        return "\n".join((self.folder / f"operator-{self._starts}.log").read_text().splitlines()[-lines:])

    def stop_operator(self) -> None:
        """SIGTERM, and wait."""
        self._operator_lives.close()

    def kill_operator(self) -> None:
        """kill -9, and wait."""
        assert self._operator is not None
        os.kill(self._operator.pid, signal.SIGKILL)
        self._operator.wait()
        self._operator_lives.close()

    @contextmanager
    def operator_away(self) -> Iterator[None]:
        """Without an operator for a while."""
        self.stop_operator()
        try:
            yield
        finally:
            self.start_operator()

    # ---- what the processes are told

    @property
    def store(self) -> ArtifactStore:
        """The artifact store, as a job's uploads fill it."""
        return open_store(StoreSettings(folder=self.folder / "media", secret_file=self.folder / "store-secret"))

    def _environment(self, component: str) -> dict[str, str]:
        shared = {
            "MEDIATASK_KUBECONFIG": str(self.kubeconfigs[component]),
            "MEDIATASK_REDIS_URL": self._redis.url,
            "MEDIATASK_ALLOW_NETWORKS": json.dumps(["127.0.0.0/8"]),
            "MEDIATASK_STORE_KIND": "file",
            "MEDIATASK_STORE_FOLDER": str(self.folder / "media"),
            "MEDIATASK_STORE_SECRET_FILE": str(self.folder / "store-secret"),
            "MEDIATASK_STORE_GET_URL": f"{self.api_url}/media",
            "MEDIATASK_STORE_PUT_URL": f"{self.internal_url}/store",
        }
        if component == "operator":
            return shared | {
                "MEDIATASK_NAMESPACES": json.dumps(self._watched),
                "MEDIATASK_JOB_API_URL": self.internal_url,
                "MEDIATASK_JOB_SERVICE_ACCOUNT": JOB_ACCOUNT,
                "MEDIATASK_CLASSES_FILE": str(self.folder / "classes.yaml"),
                "MEDIATASK_WEBHOOK_SECRETS_FILE": str(self.folder / "webhook-secrets"),
                "MEDIATASK_METRICS_PORT": str(free_port()),
            }
        return shared | {
            "MEDIATASK_NAMESPACE": self.namespace,
            "MEDIATASK_NAMESPACES": json.dumps(self._watched),
            "MEDIATASK_API_KEYS_FILE": str(self.folder / "keys.json"),
            "MEDIATASK_HOST": HOST,
            "MEDIATASK_PORT": str(self._ports["api"]),
            "MEDIATASK_INTERNAL_HOST": HOST,
            "MEDIATASK_INTERNAL_PORT": str(self._ports["internal"]),
            "MEDIATASK_PUBLIC_URL": self.api_url,
        }


@asynccontextmanager
async def install(kube: Kube, admin: Path, folder: Path, watched: Sequence[str] = ()) -> AsyncIterator[Installed]:
    """An installation in a namespace of its own, gone in the end (but for the definitions, which others may use).

    Args:
        kube: with an administrator's rights.
        admin: the kubeconfig of these rights.
        folder: for keys, logs, media.
        watched: the namespaces it serves besides its own; all of the cluster when empty.
    """
    namespace = f"{RELEASE}-{secrets.token_hex(3)}"
    namespaces = [namespace, *watched] if watched else []
    await kube.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    await apply(kube, definitions())
    for body in definitions():
        await wait_for(kube, DEFINITIONS, body["metadata"]["name"], _is_established)
    objects = render(namespace, {"rbac": {"namespaces": namespaces}})
    await apply(kube, objects)
    try:
        with Installed(folder, admin, namespace, namespaces) as installed:
            yield installed
    finally:
        with contextlib.suppress(KubeError):
            await remove(kube, objects)
            await kube.delete(CLASSES, namespace)
        await kube.delete(NAMESPACES, namespace)


def task_class(name: str, **spec: Any) -> Object:
    """A class for pictures, whose pods run until a test says how they end."""
    given = {
        "taskTypes": ["generate_image"],
        "image": "played/held",
        "gpu": {"count": 0},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        **spec,
    }
    return {"apiVersion": API_VERSION, "kind": "MediaTaskClass", "metadata": {"name": name}, "spec": given}


def _is_established(definition: Object) -> bool:
    conditions = definition.get("status", {}).get("conditions", [])
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)
