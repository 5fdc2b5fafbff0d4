"""What somebody who takes over a job's process gets: nothing but a token that speaks for this pod to one service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from cluster.fixtures.installed import Receiver, Release
from support.mode import Rest, until

Object = dict[str, Any]

PROJECT = "gated-taken-over"
TOKEN = "/var/run/secrets/mediatask/token"

# Run inside: what there is to find, as JSON.
LOOK = r"""
import json, os, pathlib, socket, urllib.error, urllib.request, ssl

def writable(folder):
    try:
        (pathlib.Path(folder) / "probe").write_text("")
    except OSError:
        return False
    return True

def asked(url, **headers):
    try:
        request = urllib.request.Request(url, headers=headers)
        context = ssl._create_unverified_context()
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code

def said(host, port, words):
    with socket.create_connection((host, port), timeout=5) as connection:
        connection.sendall(words)
        return connection.recv(200).decode()

status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
token = open("%(token)s").read()
kubernetes = "https://kubernetes.default.svc"
pods = kubernetes + "/api/v1/namespaces/%(namespace)s/pods"
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(), "capabilities": status["CapBnd"].strip(),
    "no_new_privileges": status["NoNewPrivs"].strip(), "seccomp": status["Seccomp"].strip(),
    "environment": dict(os.environ),
    "writable": [folder for folder in ("/", "/etc", "/usr", "/root", "/opt", "/home") if writable(folder)],
    "secrets": sorted(str(path) for path in pathlib.Path("/var/run/secrets").rglob("*")),
    "kubernetes_with_token": asked(pods, Authorization="Bearer " + token),
    "kubernetes_without": asked(pods),
    "api_with_token": asked("http://mediatask-api.%(namespace)s.svc:8001/api/v1/tasks/x/status",
                            Authorization="Bearer " + token),
    "api_with_token_as_key": asked("http://mediatask-api.%(namespace)s.svc:8001/api/v1/tasks/x/status",
                                   **{"X-API-Key": token}),
    "s3": asked("http://mediatask-s3.%(namespace)s.svc:7070/mediatask"),
    "redis": said("mediatask-redis.%(namespace)s.svc", 6379, b"KEYS *\r\n"),
}))
"""


@pytest.fixture(scope="module")
def running(release: Release, gates: Receiver) -> Iterator[tuple[Rest, str, Object]]:
    """A caller, its task, and the task's pod, in which the job waits."""
    rest = Rest(release)
    id_ = rest.submit("taken over", PROJECT)
    until(lambda: rest.status(id_)["status"] == "processing")
    (pod,) = release.job_pods(id_)
    yield rest, id_, pod
    gates.open_gate(PROJECT)


def inside(release: Release, pod: Object, *command: str, stdin: str | None = None) -> str:
    """What a command in the pod prints."""
    return release.kubectl("exec", "--stdin", pod["metadata"]["name"], "--", *command, stdin=stdin)


@pytest.fixture(scope="module")
def found(release: Release, running: tuple[Rest, str, Object]) -> Object:
    """What there is inside."""
    _, _, pod = running
    script = LOOK % {"token": TOKEN, "namespace": pod["metadata"]["namespace"]}
    seen: Object = json.loads(inside(release, pod, "python", "-c", script))
    return seen


def test_the_process_has_no_power(found: Object) -> None:
    assert (found["uid"], found["gid"]) == (65532, 65532)
    assert int(found["capabilities"], 16) == 0
    assert found["no_new_privileges"] == "1"
    assert found["seccomp"] == "2"
    assert found["writable"] == []


def test_there_is_one_token_and_nothing_else(found: Object) -> None:
    assert [path for path in found["secrets"] if "/mediatask/.." not in path] == [TOKEN.rpartition("/")[0], TOKEN]


def test_no_variable_speaks_of_a_store_a_database_or_a_cms(found: Object) -> None:
    ours = {name for name in found["environment"] if name.startswith("MEDIATASK_")}
    assert ours == {
        "MEDIATASK_SPEC",
        "MEDIATASK_API",
        "MEDIATASK_TOKEN_FILE",
        "MEDIATASK_TERMINATION_LOG",
        "MEDIATASK_WORK",
        "MEDIATASK_MODEL_CACHE",
    }
    suspicious = ("AWS", "S3", "REDIS", "PAYLOAD", "MONGO", "SECRET", "PASSWORD", "API_KEY", "CREDENTIAL")
    assert [name for name in found["environment"] if any(word in name for word in suspicious)] == []


def test_no_secret_of_the_release_is_in_any_file_or_variable(
    release: Release, running: tuple[Rest, str, Object]
) -> None:
    _, _, pod = running
    token = inside(release, pod, "cat", TOKEN)
    # The patterns come by stdin, so the search itself puts none of them where it looks. The token proves that it finds.
    patterns = "\n".join([token, *release.secrets()])
    search = "grep -rlsF -f - --exclude-dir=proc --exclude-dir=sys /; tr '\\0' '\\n' < /proc/1/environ"

    seen = inside(release, pod, "sh", "-c", search, stdin=patterns)

    files = [line for line in seen.splitlines() if line.startswith("/")]
    assert files
    assert [file for file in files if "/run/secrets/mediatask/" not in file] == []
    assert "MEDIATASK_SPEC=" in seen, "the environment was read"
    assert not [secret for secret in release.secrets() if secret in seen]


def test_neither_kubernetes_nor_anything_else_opens(found: Object) -> None:
    assert found["kubernetes_with_token"] == 401
    assert found["kubernetes_without"] in (401, 403)
    assert found["api_with_token"] == 401
    assert found["api_with_token_as_key"] == 401
    assert found["s3"] == 403
    assert found["redis"].startswith("-NOAUTH")


def test_the_token_speaks_for_its_own_task_and_only_while_that_runs(
    release: Release, running: tuple[Rest, str, Object], gates: Receiver
) -> None:
    rest, own, pod = running
    token = inside(release, pod, "cat", TOKEN)
    other = rest.submit("another", PROJECT)
    until(lambda: rest.status(other)["status"] == "processing")

    assert report(release, token, own) == 200
    assert report(release, token, own, attempt=2) == 403
    assert report(release, token, other) == 403
    assert report(release, token[:-4] + "AAAA", own) == 401
    assert report(release, plain_token(release), own) == 401, "a token for the Kubernetes API is none for us"

    gates.open_gate(PROJECT)
    until(lambda: rest.status(own)["status"] == "completed")
    assert report(release, token, own) == 409, "the task has ended"
    release.kubectl("delete", "pod", pod["metadata"]["name"], "--wait")
    until(lambda: report(release, token, own) == 401, 30, every=1)


def report(release: Release, token: str, task: str, *, attempt: int = 1) -> int:
    """The status of the answer to a report of progress."""
    answer = httpx.post(
        f"{release.internal_url}/internal/v1/tasks/{task}/progress",
        json={"attempt": attempt, "progress": 0.5, "step": "looking_around"},
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
    )
    return answer.status_code


def plain_token(release: Release) -> str:
    """A token of the jobs' account, but not for our audience and bound to no pod."""
    return release.kubectl("create", "token", "default").strip()
