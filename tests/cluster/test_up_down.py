"""Starting and stopping a cluster, as a person does: what it says, and that nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
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
from cluster.harness.node.configuration import PAUSE_IMAGE
from cluster.harness.node.namespaces import KERNEL_SETTINGS
from cluster.harness.rundir import RunDir
from support.processes import stat_of

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


def machine() -> list[str]:
    """What a cluster with a real node could change on this machine for good: files, mounts, settings of the kernel."""
    places = ("/run/netns", "/run/containerd", "/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/usr/libexec")
    files = [str(path) for place in map(Path, places) if place.exists() for path in place.iterdir()]
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    mounts = [place for place in mounted if place.startswith(("/run", "/var", "/proc", "/sys"))]
    settings = [f"{name} {Path('/proc/sys', name).read_text()}" for name in (*KERNEL_SETTINGS, "net/ipv4/ip_forward")]
    return sorted([*files, *mounts, *settings])


def descendants(pid: int) -> set[tuple[int, str]]:
    """All processes below one, containers among them: process id and start time, which make one unmistakable."""
    found = set()
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            for child in map(int, (thread / "children").read_text().split()):
                found |= {(child, start_time(child))} | descendants(child)
    return found


def start_time(pid: int) -> str:
    """In clock ticks since boot; empty when the process is gone."""
    fields = stat_of(pid)
    return fields[19] if fields else ""


def kernel_objects_of(directory: Path) -> set[Path]:
    """The network interface and the control groups of a running cluster with a real node."""
    server = json.loads((directory / "kubeconfig").read_text())["clusters"][0]["cluster"]["server"]
    number = re.findall(r"//10\.250\.(\d+)\.1:", server)[0]
    return {Path(f"/sys/class/net/mediatask{number}"), *Path("/sys/fs/cgroup").glob(f"**/{RunDir(directory).cgroup}")}


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def wait_for_the_end_of(processes: set[tuple[int, str]]) -> None:
    wait_until(lambda: not any(start_time(pid) == started for pid, started in processes))


def answers(directory: Path) -> bool:
    """Whether the API server of the folder answers to its kubeconfig."""

    with api_client(directory / "kubeconfig") as api:
        return bool(client.CoreV1Api(api).list_namespace().items)


def run_pod(directory: Path) -> None:
    """Runs a pod that does not end by itself."""
    pod = {
        "metadata": {"name": "pause"},
        "spec": {"containers": [{"name": "pause", "image": PAUSE_IMAGE, "imagePullPolicy": "Never"}]},
    }
    with api_client(directory / "kubeconfig") as api:
        core = client.CoreV1Api(api)
        core.create_namespaced_pod("default", pod)
        wait_until(lambda: core.read_namespaced_pod("pause", "default").status.phase == "Running", 30)


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
    directory = tmp_path / "cluster"
    before = machine()
    for _ in range(10):
        with up(directory, "--node", "kwok") as process:
            assert answers(directory)
            process.terminate()
            assert process.wait(30) == 0
        assert processes_of(directory) == []
        assert [path.name for path in directory.iterdir()] == ["logs"]
    assert machine() == before


@pytest.mark.usefixtures("real_binaries")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_real_node_leaves_nothing_behind_though_pods_run(tmp_path: Path, number: signal.Signals) -> None:
    before = machine()
    directory = tmp_path / "cluster"
    for _ in range(2):
        with up(directory, "--node", "real") as process:
            run_pod(directory)
            processes, objects = descendants(process.pid), kernel_objects_of(directory)
            assert len(processes) > len(processes_of(directory))
            assert len(objects) > 1

            process.send_signal(number)

            process.wait(60)
            wait_for_the_end_of(processes)
        # After a kill, this takes away what is no process.
        assert harness("down", "--dir", directory).returncode == 0
        assert [path.name for path in directory.iterdir()] == ["logs"]
        assert not any(each.exists() for each in objects)
    assert machine() == before
