"""The local mode on a real S3: media by presigned URL, credentials where they belong, a store that dies and returns."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mediatask_client import Client
from mediatask_common.kube import EVENTS, JOBS, PODS, TASKS, Kube
from mediatask_local import s3server
from mediatask_local.child import StartError
from mediatask_local.s3server import ENV_PROGRAM, PACKAGE, find_program
from mediatask_local.up import UpInfo, embedded
from support.gate import make_gated_class
from support.mode import Receiver, Rest, kill, pod_processes, processes_of, until
from support.s3server import s3_program, s3_server

PROMPTS, VOICES = 10, 2


@pytest.fixture
def mode(tmp_path: Path) -> Iterator[UpInfo]:
    """The local mode with an S3 server of its own, where every test_prompt waits for the file `gate`."""
    s3_program()
    with embedded(tmp_path, store="s3") as info:
        asyncio.run(make_gated_class(info.kubeconfig, tmp_path / "gate"))
        yield info


def test_media_lies_in_s3_and_the_credentials_stay_with_operator_and_api(mode: UpInfo, tmp_path: Path) -> None:
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
    assert not [path for path in logs if b"X-Amz-Signature" in path.read_bytes()], "a link opens the media to anyone"
    assert secret.decode() not in asyncio.run(_everything(mode.kubeconfig))
    with_secret = {name for name, pid in mode.pids.items() if secret in Path(f"/proc/{pid}/environ").read_bytes()}
    assert with_secret == {"s3", "operator", "api"}
    assert not [command for command in processes_of(tmp_path).values() if secret.decode() in command]


def test_a_restart_finds_its_media_again(tmp_path: Path) -> None:
    s3_program()
    with embedded(tmp_path, store="s3") as first:
        task = Rest(first).submit("kept", "stored")
        until(lambda: Rest(first).status(task)["status"] == "completed")
        url = Rest(first).status(task)["result"]["media_url"]
        content = httpx.get(url, trust_env=False).content
    assert processes_of(tmp_path) == {}
    with embedded(tmp_path, store="s3"):
        assert httpx.get(url, trust_env=False).content == content, "address and keys are the same"


@pytest.mark.timeout(400)
def test_kill_the_store_while_tasks_run(mode: UpInfo, tmp_path: Path) -> None:
    """All end, once each, and the media is whole."""
    with Receiver() as receiver, Client(mode.api_url, mode.api_key) as client:
        receiver.secret = mode.webhook_secret
        rest = Rest(mode)
        tasks = [rest.submit(f"prompt-{n}", "killed", callback_url=receiver.url) for n in range(PROMPTS)]
        until(lambda: all(rest.status(task)["status"] == "processing" for task in tasks))
        speech = {"task_type": "process_audio", "task_data": {"text": "The store has gone away."}}
        tasks += [rest.submit(f"voice-{n}", "killed", callback_url=receiver.url, **speech) for n in range(VOICES)]
        kill(mode, tmp_path, "s3")
        (tmp_path / "gate").touch()
        # Again as they upload and publish, and as the operator proves what they have published.
        for ended in (1, 4, 7):
            until(lambda ended=ended: _ended(rest, tasks) >= ended)
            kill(mode, tmp_path, "s3")
        until(lambda: _ended(rest, tasks) == len(tasks), 120, every=0.5)
        for task in tasks:
            status = rest.status(task)
            assert (status["status"], status["attempt"]) == ("completed", 1), status
            for artifact in client.get(task).artifacts():
                path = client.fetch(artifact, tmp_path / "fetched" / artifact.name)
                assert hashlib.sha256(path.read_bytes()).hexdigest() == artifact.sha256
        until(lambda: receiver.ids.keys() == set(tasks), 60)
        assert all(len(set(ids)) == 1 for ids in receiver.ids.values())
    results = list((tmp_path / "s3" / "mediatask" / "projects" / "killed").glob("*/result.json"))
    assert len(results) == len(tasks)


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


def _ended(rest: Rest, tasks: list[str]) -> int:
    return sum(rest.status(task)["status"] in ("completed", "failed", "cancelled") for task in tasks)


async def _everything(kubeconfig: Path) -> str:
    """All resources that a task has, as text."""
    async with await Kube.connect(kubeconfig) as kube:
        return json.dumps([await kube.list(resource) for resource in (TASKS, JOBS, PODS, EVENTS)])
