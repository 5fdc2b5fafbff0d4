"""How many threads torch starts in a job."""

from __future__ import annotations

import os
import subprocess
import sys


def test_torch_starts_as_many_threads_as_it_is_told() -> None:
    """Through the module that starts the job, whose settings have to come before torch."""
    program = (
        "import atexit, os, runpy; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "def look():\n"
        "    import torch\n"
        "    print(torch.get_num_threads(), os.environ['OMP_WAIT_POLICY'], os.environ['GOMP_SPINCOUNT'])\n"
        "atexit.register(look); runpy.run_module('mediatask_job', run_name='__main__')"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "MEDIATASK_"))}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (10, "1 PASSIVE 0"), done.stderr
