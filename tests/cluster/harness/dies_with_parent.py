"""Runs a program that the kernel kills when its parent dies: `dies_with_parent.py PARENT_PID PROGRAM ARGUMENT...`

A harness ended by SIGKILL cannot clean up; the kernel can. Run as a file and not imported: the attribute has to be
set after the fork and before the exec, and code of a threaded parent has no business running between the two.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, program, *arguments = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    # The parent may have died before the attribute was set.
    if os.getppid() != int(parent):
        sys.exit("the parent is gone")
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    main()
