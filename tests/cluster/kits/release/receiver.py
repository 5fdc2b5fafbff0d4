"""The receiver's pod, from outside: what it has received, what it serves, whom it lets through."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
from standardwebhooks import Webhook

from cluster.kits.release.commands import Commands
from cluster.kits.release.receiver_pod import PORT

NAMESPACE = "receiver"
PROGRAM = Path(__file__).with_name("receiver_pod.py")

# What a gated task's container runs: the real job, in a project `gated-...` once its gate is open.
GATED = f"""
import json, os, runpy, signal, sys, time, urllib.request
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
project = json.loads(os.environ["MEDIATASK_SPEC"])["project"]
while project.startswith("gated-"):
    try:
        urllib.request.urlopen("http://receiver.{NAMESPACE}.svc:{PORT}/gates/" + project).close()
        break
    except OSError:
        time.sleep(0.5)
runpy.run_module("mediatask_job", run_name="__main__", alter_sys=True)
"""


class Receiver:
    """A pod in a namespace of its own, so that it outlives the release.

    Args:
        image: one that has the client's package.
    """

    def __init__(self, commands: Commands, image: str) -> None:
        commands.apply(*_objects(image))
        commands.kubectl("wait", "--namespace", NAMESPACE, "--for=condition=Ready", "pod/receiver", "--timeout=60s")
        service = commands.get("service", "receiver", "--namespace", NAMESPACE)
        self.url = f"http://receiver.{NAMESPACE}.svc:{PORT}"  # for pods
        self.webhook_url = f"{self.url}/webhooks/task-complete"
        self._http = httpx.Client(base_url=f"http://{service['spec']['clusterIP']}:{PORT}", trust_env=False)

    def verify_with(self, secret: str) -> None:
        """From now on only webhooks signed with this are taken."""
        self._put("/secret", secret.encode())

    def serve(self, name: str, content_type: str, content: bytes) -> str:
        """The address at which pods find this file."""
        self._put(f"/files/{name}", content, content_type)
        return f"{self.url}/files/{name}"

    def open_gate(self, project: str) -> None:
        """Let the gated tasks of a project go on, those that come later, too."""
        self._put(f"/gates/{project}", b"")

    def webhooks(self) -> list[dict[str, Any]]:
        """What was taken, oldest first: {"headers", "body"}, the body as it came."""
        received: list[dict[str, Any]] = self._http.get("/webhooks").raise_for_status().json()
        return received

    def verified(self, task: str, secret: str) -> list[dict[str, Any]]:
        """The bodies about a task, each checked with the official library, too."""
        about = [each for each in self.webhooks() if json.loads(each["body"])["task_id"] == task]
        return [Webhook(secret).verify(each["body"], each["headers"]) for each in about]

    def ids(self) -> dict[str, set[str]]:
        """The webhooks' ids by task."""
        found = defaultdict(set)
        for each in self.webhooks():
            headers = {name.lower(): value for name, value in each["headers"].items()}
            found[json.loads(each["body"])["task_id"]].add(headers["webhook-id"])
        return found

    def _put(self, path: str, content: bytes, content_type: str = "text/plain") -> None:
        self._http.put(path, content=content, headers={"Content-Type": content_type}).raise_for_status()


def _objects(image: str) -> list[dict[str, Any]]:
    def named(kind: str, name: str = "receiver", **body: Any) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **body}

    container = {
        "name": "receiver",
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["python", "/receiver/receiver_pod.py"],
        # Ready once it listens, and from then on also while jobs take all the processors: with a receiver that comes
        # and goes, webhooks would wait for their third try, minutes later.
        "readinessProbe": {
            "tcpSocket": {"port": PORT},
            "periodSeconds": 1,
            "timeoutSeconds": 10,
            "failureThreshold": 30,
        },
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "volumeMounts": [{"name": "program", "mountPath": "/receiver"}],
    }
    pod = named(
        "Pod",
        spec={
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [{"name": "program", "configMap": {"name": "receiver"}}],
        },
    )
    pod["metadata"]["labels"] = {"app": "receiver"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    service = named("Service", spec={"selector": {"app": "receiver"}, "ports": [{"port": PORT}]})
    return [namespace, named("ConfigMap", data={PROGRAM.name: PROGRAM.read_text()}), pod, service]
