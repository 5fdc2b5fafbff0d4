"""The release under test: installed by the documented command, and looked at as its users and its platform team do."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import httpx

from cluster.kits.release.commands import Commands
from mediatask_client import Client
from mediatask_crds.names import LABEL_TASK, label_value

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

NAME = "mediatask"
NAMESPACE = "media"
# As documents have them.
TRY_OUT = "charts/mediatask/ci/local-values.yaml"
INSTALL = f"helm install mediatask charts/mediatask -n media --create-namespace -f {TRY_OUT}"
UPGRADE = f"helm upgrade mediatask charts/mediatask -n media -f {TRY_OUT}"
ROLLBACK = "helm rollback mediatask -n media"
UNINSTALL = "helm uninstall mediatask -n media"
API_GONE = (
    "kubectl wait pod -n media -l app.kubernetes.io/instance=mediatask,app.kubernetes.io/component=api"
    " --for=delete --timeout=2m"
)
BUCKET = "mediatask"
S3_PORT = 7070

# What pods of the namespace have to be like: the strictest of Kubernetes' own profiles.
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}

Object = dict[str, Any]


class Release:
    """The one release of the cluster. This machine reaches its Services by their addresses in the cluster."""

    def __init__(self, commands: Commands) -> None:
        self.commands = commands
        self._found: dict[str, Object] = {}

    # ---- helm

    def install(self) -> str:
        """The documented command; the notes that it prints."""
        self._found.clear()
        return self.commands.shell(INSTALL)

    def until_available(self, seconds: int = 120) -> None:
        """Wait until all that the release runs is ready."""
        self.kubectl(
            "wait", "--for=condition=Available", "deployment", "--all", f"--timeout={seconds}s", seconds=seconds + 5
        )

    # ---- Kubernetes

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = 120) -> str:
        """kubectl in the release's namespace."""
        return self.commands.kubectl("--namespace", NAMESPACE, *arguments, stdin=stdin, seconds=seconds)

    def get(self, *arguments: str) -> Any:
        """`kubectl get` in the release's namespace, parsed."""
        return self.commands.get("--namespace", NAMESPACE, *arguments)

    def pods(self, component: str) -> list[Object]:
        """The pods of a part of the release: operator, api, redis or s3."""
        found: list[Object] = self.get("pods", "--selector", f"app.kubernetes.io/component={component}")
        return found

    def job_pods(self, task: str) -> list[Object]:
        """All pods that a task has had."""
        found: list[Object] = self.get("pods", "--selector", f"{LABEL_TASK}={label_value(task)}")
        return found

    def tasks(self, project: str) -> dict[str, Object]:
        """A project's tasks by name, as Kubernetes has them."""
        found = self.get("mediatasks", f"--field-selector=spec.projectId={project}")
        return {task["metadata"]["name"]: task for task in found}

    def secret(self, name: str) -> dict[str, str]:
        """The values of one of the release's Secrets."""
        data = self._lasting("secret", name)["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def secrets(self) -> set[str]:
        """Every value that no job may know: of all Secrets of the namespace, and what these are made of."""
        names = ("api-keys", "webhook", "redis", "s3")
        return {value for name in names for key, value in self.secret(name).items() if key != "keys.json"}

    def service(self, name: str, port: int) -> str:
        """A Service's address as `host:port`."""
        return f"{self._lasting('service', name)['spec']['clusterIP']}:{port}"

    def _lasting(self, kind: str, name: str) -> Object:
        """An object that is the same for as long as the release is installed: asked for once."""
        key = f"{kind}/{NAME}-{name}"
        if key not in self._found:
            self._found[key] = self.get(key)
        return self._found[key]

    # ---- callers

    @property
    def api_url(self) -> str:
        """The API's Service."""
        return f"http://{self.service('api', 8001)}"

    @property
    def internal_url(self) -> str:
        """The Service that job pods call."""
        return f"http://{self.service('api-internal', 8002)}"

    @property
    def api_key(self) -> str:
        return self.secret("api-keys")["api-key"]

    @property
    def webhook_secret(self) -> str:
        return self.secret("webhook")["secrets"].strip()

    def client(self) -> Client:
        """A caller with a key for all projects."""
        return Client(self.api_url, self.api_key)

    def fetch(self, link: str) -> httpx.Response:
        """What a presigned link to media gives.

        Links of the try-out are made for `kubectl port-forward`, and their signature covers that address: this goes
        to the Service's and says the link's, as a port-forward does.
        """
        parts = urlsplit(link)
        direct = parts._replace(netloc=self.service("s3", S3_PORT)).geturl()
        return httpx.get(direct, headers={"Host": parts.netloc}, trust_env=False, timeout=30)

    def stored(self, prefix: str) -> list[str]:
        """The keys in the bucket under a prefix."""
        pages = self._s3().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def content(self, key: str) -> bytes:
        """An object of the bucket."""
        return self._s3().get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def _s3(self) -> S3Client:
        keys = self.secret("s3")
        return boto3.client(
            "s3",
            endpoint_url=f"http://{self.service('s3', S3_PORT)}",
            region_name="auto",
            aws_access_key_id=keys["access-key-id"],
            aws_secret_access_key=keys["secret-access-key"],
        )


def task_class(name: str, **spec: Any) -> Object:
    """A MediaTaskClass."""
    return {"apiVersion": "tasks.ft.tc/v1alpha1", "kind": "MediaTaskClass", "metadata": {"name": name}, "spec": spec}


def task(name: str, body: Object, namespace: str = NAMESPACE) -> Object:
    """The MediaTask that a REST body asks for, to be applied by hand."""
    spec = {
        "projectId": body["project_id"],
        "taskType": body["task_type"],
        "taskData": body["task_data"],
        "metadata": body.get("metadata", {}),
    }
    if "callback_url" in body:
        spec["callback"] = {"url": body["callback_url"]}
    return {
        "apiVersion": "tasks.ft.tc/v1alpha1",
        "kind": "MediaTask",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
