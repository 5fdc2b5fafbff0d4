"""Starting and stopping a cluster, as a person does: what it says, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kubernetes import client

from cluster.harness.kubeconfig import api_client

TESTS = Path(__file__).parents[1]

pytestmark = pytest.mark.usefixtures("binaries")


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "cluster.harness", *map(str, arguments)]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(TESTS)}


def harness(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a verb that ends by itself."""
    return subprocess.run(command(*arguments), env=environment(), capture_output=True, text=True, timeout=60)


@contextmanager
def up(directory: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A harness that has said on stdout that its cluster is ready."""
    process = subprocess.Popen(
        command("up", "--dir", directory, *options),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise AssertionError(f"up ended: {process.stderr.read()}")
        assert line == f"export KUBECONFIG={directory}/kubeconfig\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def processes_of(directory: Path) -> list[str]:
    """The command lines of all processes that were told of the folder, the harness itself among them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:  # it ended meanwhile
                continue
            if str(directory) in line:
                found.append(line)
    return found


def network_and_mounts() -> list[str]:
    """What a cluster with real nodes would leave behind: bridges, network namespaces, mounts."""
    namespaces = Path("/run/netns")
    names = [*Path("/sys/class/net").iterdir(), *(namespaces.iterdir() if namespaces.exists() else ())]
    return sorted([*map(str, names), *Path("/proc/self/mounts").read_text().splitlines()])


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def answers(directory: Path) -> bool:
    """Whether the API server of the folder answers to its kubeconfig."""

    with api_client(directory / "kubeconfig") as api:
        return bool(client.CoreV1Api(api).list_namespace().items)


def test_down_stops_the_cluster_and_keeps_its_logs_alone(tmp_path: Path) -> None:
    directory = tmp_path / "cluster"
    with up(directory, "--node", "none") as process:
        assert answers(directory)
        assert len(processes_of(directory)) == 5  # the harness, etcd, API server, controllers, scheduler

        assert harness("down", "--dir", directory).returncode == 0

        assert process.wait(10) == 0
    assert processes_of(directory) == []
    assert [path.name for path in directory.iterdir()] == ["logs"]
    assert {"etcd.log", "kube-apiserver.log"} <= {path.name for path in (directory / "logs").iterdir()}
    assert "no cluster runs" in harness("down", "--dir", directory).stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_cluster_of_the_default_folder_without_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process = subprocess.Popen(
        command("up", "--node", "none"), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"export KUBECONFIG={tmp_path}/mediatask-cluster-")
        process.send_signal(number)
        assert process.wait(20) == 0
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_nothing_survives_a_harness_that_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    directory = tmp_path / "cluster"
    with up(directory, "--node", "none") as process:
        process.kill()
        process.wait()
        wait_until(lambda: processes_of(directory) == [])
    # What it left in its folder is no obstacle for the next one, which starts from nothing.
    with up(directory, "--node", "none") as process:
        assert answers(directory)
        process.kill()
        process.wait()
        wait_until(lambda: processes_of(directory) == [])
    # Without a next one, `down` takes away all but the logs.
    assert harness("down", "--dir", directory).returncode == 0
    assert [path.name for path in directory.iterdir()] == ["logs"]
    assert list(temporary.iterdir()) == []


def test_a_second_cluster_in_the_same_folder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "cluster"
    with up(directory, "--node", "none"):
        second = harness("up", "--dir", directory)
        assert second.returncode == 1
        assert f"a cluster runs in {directory}" in second.stderr
        assert answers(directory)


def test_a_part_that_dies_ends_the_cluster_and_is_named(tmp_path: Path) -> None:
    directory = tmp_path / "cluster"
    with up(directory, "--node", "none") as process:
        [etcd] = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and f"--data-dir={directory}/".encode() in (entry / "cmdline").read_bytes()
        ]
        os.kill(etcd, signal.SIGKILL)
        assert process.wait(30) == 1
        assert process.stderr is not None
        assert f"etcd ended with -9 (all of it: {directory}/logs/etcd.log)" in process.stderr.read()
    assert processes_of(directory) == []


def test_a_folder_that_others_can_read_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "open"
    directory.mkdir()
    directory.chmod(0o755)
    refused = harness("up", "--dir", directory)
    assert refused.returncode == 1
    assert "mode 0700" in refused.stderr
    assert list(directory.iterdir()) == []


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    directory = tmp_path / "home"
    (directory / "logs").mkdir(parents=True)
    directory.chmod(0o700)
    (directory / "thesis.txt").touch()
    refused = harness("up", "--dir", directory)
    assert refused.returncode == 1
    assert "holds other things (thesis.txt)" in refused.stderr
    assert {path.name for path in directory.iterdir()} == {"logs", "thesis.txt"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_rounds_leave_nothing_behind(tmp_path: Path) -> None:
    before = network_and_mounts()
    directory = tmp_path / "cluster"
    for _ in range(10):
        with up(directory, "--node", "kwok") as process:
            assert answers(directory)
            process.terminate()
            assert process.wait(30) == 0
        assert processes_of(directory) == []
        assert [path.name for path in directory.iterdir()] == ["logs"]
    assert network_and_mounts() == before
