"""`python -m mediatask_job`: one attempt of one task."""

from __future__ import annotations

import atexit
import os
import signal
import sys

from mediatask_job.runtime.cpus import limit_threads, usable_cpus

# The kernel drops a SIGTERM that the first process of a container has no handler for. Until `main` installs its own
# there is nothing to tidy up: leave with the exit code for it (`ExitCode.PREEMPTED`, whose import takes a while).
signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
limit_threads(os.environ, usable_cpus())

from mediatask_job.run import main  # noqa: E402  after the handler, because it takes a while

code = main()
# What the interpreter would do from here, but for taking torch's modules apart object by object, which holds the GPU
# for up to a second longer. The kernel frees it all anyway.
atexit._run_exitfuncs()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
