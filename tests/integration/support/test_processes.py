"""What the tests start does not outlive them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.jobrunner import is_alive
from support.mode import until

TESTS = Path(__file__).parents[2]
A_TEST_RUN = """
import sys
from pathlib import Path
from support.processes import first_line, python_module

log = Path(sys.argv[1]) / "log"
with python_module("mediatask_local.apiserver", "--dir", sys.argv[1], log=log) as server:
    first_line(server, log)
    print(server.pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_servers_end_with_the_test_run_however_it_ends(how: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", A_TEST_RUN, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A shell starts its background commands with SIGINT ignored, which they hand on to their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as run:
        assert run.stdout is not None
        server = int(run.stdout.readline())
        assert is_alive(server)
        run.send_signal(how)
        run.wait(30)
    until(lambda: not is_alive(server), 10)
