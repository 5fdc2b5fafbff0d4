"""The local mode on a real S3: media by presigned URL, credentials where they belong."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import httpx
import pytest

from mediatask_client import Client
from mediatask_common.kube import EVENTS, JOBS, PODS, TASKS, Kube
from mediatask_local import s3server
from mediatask_local.child import StartError
from mediatask_local.s3server import ENV_PROGRAM, PACKAGE, find_program
from mediatask_local.up import embedded
from support.gate import gated_mode
from support.mode import Rest, pod_processes, processes_of, until
from support.s3server import s3_program, s3_server


def test_media_lies_in_s3_and_the_credentials_stay_with_operator_and_api(tmp_path: Path) -> None:
    s3_program()
    with gated_mode(tmp_path, store="s3") as mode:
        rest = Rest(mode)
        task = rest.submit("in s3", "stored")
        (pod, *_) = until(lambda: pod_processes(task))
        variables = Path(f"/proc/{pod}/environ").read_bytes().decode().split("\0")
        assert not [variable for variable in variables if variable.startswith(("AWS_", "MEDIATASK_STORE_", "ROOT_"))]
        (tmp_path / "gate").touch()
        until(lambda: rest.status(task)["status"] == "completed")

        url = rest.status(task)["result"]["media_url"]
        assert url.startswith(f"{mode.s3_url}/mediatask/projects/stored/")
        assert "X-Amz-Signature" in url
        with Client(mode.api_url, mode.api_key) as client:
            (artifact, *_) = client.get(task).artifacts()
        media = httpx.get(url, trust_env=False)
        assert hashlib.sha256(media.content).hexdigest() == artifact.sha256
        assert media.headers["content-type"] == "application/json"
        assert httpx.get(url.partition("?")[0], trust_env=False).status_code == 403, "nothing without a signature"

        secret = (tmp_path / "secrets" / "s3-secret-access-key").read_bytes()
        holders = {path for path in tmp_path.rglob("*") if path.is_file() and secret in path.read_bytes()}
        assert holders == {tmp_path / "secrets" / "s3-secret-access-key"}, "no log, no resource, no pod"
        logs = [*(tmp_path / "logs").iterdir(), *(tmp_path / "pods").rglob("log")]
        assert not [path for path in logs if b"X-Amz-Signature" in path.read_bytes()], "it opens the media to anyone"
        assert secret.decode() not in asyncio.run(_everything(mode.kubeconfig))
        with_secret = {name for name, pid in mode.pids.items() if secret in Path(f"/proc/{pid}/environ").read_bytes()}
        assert with_secret == {"s3", "operator", "api"}
        assert not [command for command in processes_of(tmp_path).values() if secret.decode() in command]

    assert processes_of(tmp_path) == {}
    with embedded(tmp_path, store="s3"):
        assert httpx.get(url, trust_env=False).content == media.content, "a restart keeps address and keys"


def test_an_s3_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(tmp_path / "theirs") as server:
        for name, value in server.store_variables.items():
            if not name.endswith(("ACCESS_KEY", "ACCESS_KEY_ID")):
                monkeypatch.setenv(name, value)
        keys = tmp_path / "credentials"
        keys.write_text(
            "[default]\n"
            f"aws_access_key_id = {server.access_key_id}\naws_secret_access_key = {server.secret_access_key}\n"
        )
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
        with embedded(tmp_path / "up") as info:
            assert info.s3_url is None
            assert "s3" not in info.pids
            task = Rest(info).submit("elsewhere", "stored")
            until(lambda: Rest(info).status(task)["status"] == "completed")
            url = Rest(info).status(task)["result"]["media_url"]
            assert url.startswith(f"{server.url}/{server.bucket}/projects/stored/")
            assert httpx.get(url, trust_env=False).is_success
            runner = Path(f"/proc/{info.pids['jobrunner']}/environ").read_bytes()
            assert str(keys).encode() not in runner
        monkeypatch.setenv("MEDIATASK_STORE_BUCKET", "no-such-bucket")
        with pytest.raises(StartError, match="there is no bucket no-such-bucket"), embedded(tmp_path / "other"):
            pass


def test_without_a_server_program_the_next_step_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3server, "CACHED", tmp_path / "bin" / "versitygw")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(ENV_PROGRAM, raising=False)
    with pytest.raises(StartError, match=f"GOBIN={tmp_path / 'bin'} CGO_ENABLED=0 go install {PACKAGE}"):
        find_program()
    monkeypatch.setenv(ENV_PROGRAM, str(tmp_path / "gone"))
    with (
        pytest.raises(StartError, match=rf"mediatask up: {ENV_PROGRAM} is .*gone, which is not an executable"),
        embedded(tmp_path / "up", store="s3"),
    ):
        pass


async def _everything(kubeconfig: Path) -> str:
    """All resources that a task has, as text."""
    async with await Kube.connect(kubeconfig) as kube:
        return json.dumps([await kube.list(resource) for resource in (TASKS, JOBS, PODS, EVENTS)])
