"""`mediatask up`: it leaves nothing running behind, and continues where it ended."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mediatask_local.child import StartError
from mediatask_local.ports import is_free
from mediatask_local.up import UpInfo, embedded
from support.mode import Rest, processes_of, until


def test_a_restart_continues_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with embedded(tmp_path) as first:
        assert stat.S_IMODE((tmp_path / "up.json").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "cluster").stat().st_mode) == 0o700, "the database holds every request"
        assert set(first.pids) >= {"up", "apiserver", "operator", "api", "jobrunner"}
        kubeconfig = first.kubeconfig.read_text()
        task = Rest(first).submit("kept", "up")
        until(lambda: Rest(first).status(task)["status"] == "completed")
    assert not (tmp_path / "up.json").exists()
    assert processes_of(tmp_path) == {}
    _refuse_other_stores(tmp_path, monkeypatch)
    with embedded(tmp_path) as second:
        assert second.kubeconfig.read_text() == kubeconfig
        assert (second.api_url, second.api_key) == (first.api_url, first.api_key)
        status = Rest(second).status(task)
        assert (status["status"], status["progress"]) == ("completed", 1.0)
        again = Rest(second).submit("after the restart", "up")
        until(lambda: Rest(second).status(again)["status"] == "completed")


def _refuse_other_stores(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is true to the store it was made with: its tasks' media is there."""
    with pytest.raises(StartError, match=r"store `file`.*--store file"), embedded(folder, store="s3"):
        pass
    with monkeypatch.context() as patch:
        patch.setenv("MEDIATASK_STORE_BUCKET", "films")
        with pytest.raises(StartError, match="store `file`, not in `s3 AWS films`"), embedded(folder, store="s3"):
            pass


def test_a_second_one_on_the_same_folder_says_who_holds_it(embedded_mode: UpInfo) -> None:
    folder = embedded_mode.kubeconfig.parents[1]
    command = [sys.executable, "-m", "mediatask_local.up", "--dir", str(folder), "--api-port", "0"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert second.returncode == 1
    assert f"in use by process {embedded_mode.pids['up']}" in second.stderr
    assert UpInfo.read(folder).pids == embedded_mode.pids


def test_a_taken_port_is_named_with_the_next_step(embedded_mode: UpInfo, tmp_path: Path) -> None:
    port = int(embedded_mode.api_url.rpartition(":")[2])
    assert not is_free(port)
    with (
        pytest.raises(StartError, match=f"port {port} is taken. Choose another one with --api-port"),
        embedded(tmp_path, api_port=port),
    ):
        pass


def test_sigterm_while_starting_ends_it_cleanly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mediatask_local.up", "--dir", str(tmp_path), "--api-port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until(lambda: (tmp_path / "logs" / "apiserver.log").exists())
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(30) == 0
    assert processes_of(tmp_path) == {}


def test_elsewhere_than_on_linux_it_says_so(tmp_path: Path) -> None:
    code = "import sys; from mediatask_local import up; sys.platform = 'darwin'; up.main()"
    ended = subprocess.run(
        [sys.executable, "-c", code, "--dir", str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, list(tmp_path.iterdir())) == (1, [])
    assert ended.stderr == "mediatask up: the local mode needs Linux: it supervises processes through /proc and prctl\n"
