"""A pod's paths and environment on a machine without mount namespaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mediatask_local.jobrunner.pods.volumes import PodFolder, Unsupported, environment, plan_mounts

MODELS = Path("/state/models")
FOLDER = PodFolder(Path("/state/pods/p"))
TOKEN = {"serviceAccountToken": {"path": "token", "audience": "mediatask", "expirationSeconds": 600}}


def pod(volumes: dict[str, Any], mounts: dict[str, str], env: dict[str, Any] | None = None) -> dict[str, Any]:
    container = {
        "name": "main",
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts.items()],
        "env": [
            {"name": name, **({"value": value} if isinstance(value, str) else {"valueFrom": value})}
            for name, value in (env or {}).items()
        ],
    }
    listed = [{"name": name, **source} for name, source in volumes.items()]
    metadata = {"name": "p", "namespace": "default", "uid": "u"}
    return {"metadata": metadata, "spec": {"containers": [container], "volumes": listed, "nodeName": "embedded"}}


def variables(wanted: dict[str, Any]) -> dict[str, str]:
    return environment(wanted, FOLDER, plan_mounts(wanted, FOLDER, MODELS))


def test_values_under_a_mount_are_rewritten_and_no_others() -> None:
    env = {
        "IN": "/work/a/b",
        "AT": "/work",
        "BESIDE": "/workshop/a",
        "TEXT": "see /work",
        "DEEPER": "/work/cache/x",
    }
    made = variables(pod({"w": {"emptyDir": {}}, "c": {"emptyDir": {}}}, {"w": "/work", "c": "/work/cache/"}, env))
    assert made["IN"] == "/state/pods/p/volumes/w/a/b"
    assert made["AT"] == "/state/pods/p/volumes/w"
    assert made["BESIDE"] == "/workshop/a"
    assert made["TEXT"] == "see /work"
    assert made["DEEPER"] == "/state/pods/p/volumes/c/x"


def test_jobs_are_told_of_their_places_even_when_the_manifest_does_not() -> None:
    volumes = {"w": {"emptyDir": {}}, "t": {"projected": {"sources": [TOKEN]}}, "tmp": {"emptyDir": {}}}
    made = variables(pod(volumes, {"w": "/work", "t": "/var/run/secrets/mediatask", "tmp": "/tmp"}))
    assert made["MEDIATASK_WORK"] == "/state/pods/p/volumes/w"
    assert made["MEDIATASK_TOKEN_FILE"] == "/state/pods/p/volumes/t/token"
    assert made["MEDIATASK_TERMINATION_LOG"] == "/state/pods/p/termination-log"
    assert made["TMPDIR"] == "/state/pods/p/volumes/tmp"
    assert "MEDIATASK_MODEL_CACHE" not in made


def test_models_are_shared_by_all_pods() -> None:
    wanted = pod({"m": {"emptyDir": {}}}, {"m": "/models"}, {"MEDIATASK_MODEL_CACHE": "/models/hub"})
    assert variables(wanted)["MEDIATASK_MODEL_CACHE"] == "/state/models/hub"


def test_the_machines_own_environment_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("KUBECONFIG", "/secret")
    assert not {"AWS_SECRET_ACCESS_KEY", "KUBECONFIG"} & variables(pod({}, {})).keys()


def test_the_runners_own_folders_may_lie_below_a_mount_path() -> None:
    folder = PodFolder(Path("/tmp/state/pods/p"))
    wanted = pod({"tmp": {"emptyDir": {}}}, {"tmp": "/tmp"}, {"CACHE": "/tmp/x"})
    made = environment(wanted, folder, plan_mounts(wanted, folder, MODELS))
    assert made["HOME"] == "/tmp/state/pods/p/home"
    assert made["TMPDIR"] == "/tmp/state/pods/p/volumes/tmp"
    assert made["CACHE"] == "/tmp/state/pods/p/volumes/tmp/x"


def test_fields_of_the_pod() -> None:
    made = variables(pod({}, {}, {"NAME": {"fieldRef": {"fieldPath": "metadata.name"}}}))
    assert made["NAME"] == "p"


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        (pod({"s": {"secret": {"secretName": "x"}}}, {"s": "/s"}), "is a secret"),
        (pod({"s": {"projected": {"sources": [{"configMap": {"name": "x"}}]}}}, {"s": "/s"}), "projects configMap"),
        (
            pod({"s": {"projected": {"sources": [{"serviceAccountToken": {"path": "../../x"}}]}}}, {"s": "/s"}),
            "is outside the volume",
        ),
        (pod({}, {}, {"KEY": {"secretKeyRef": {"name": "x", "key": "y"}}}), "variable KEY"),
    ],
)
def test_what_cannot_be_given_is_refused(wanted: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Unsupported, match=complaint):
        variables(wanted)
