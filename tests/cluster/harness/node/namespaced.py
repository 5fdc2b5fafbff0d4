"""Runs a program in namespaces of the node's: `namespaced.py new|PID PROGRAM ARGUMENT...`

`new` makes them (mounts, network, processes): the program is their first process, and with its end the kernel ends
every process, mount and interface in them. PID, the first process's, joins them.

A process cannot change its own process namespace, only its children's. So this one forks and stands for its child: it
passes SIGTERM on, ends as the child ends, and takes the child along when it is killed. Run as a file and not
imported: a threaded process must not fork, and cannot join a mount namespace.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)


def check(what: str, result: int) -> None:
    if result != 0:
        sys.exit(f"{what}: {os.strerror(ctypes.get_errno())}")


def enter(where: str) -> None:
    """Puts this process into the namespaces, and its children to come into that of the processes."""
    if where == "new":
        check("unshare", libc.unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID))
        return
    # All are opened before the first is joined: in the node's mounts, /proc has other numbers.
    kinds = (CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWNS)
    opened = [os.open(f"/proc/{where}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("pid", "net", "mnt")]
    for descriptor, kind in zip(opened, kinds, strict=True):
        check("setns", libc.setns(descriptor, kind))


def main() -> None:
    where, program, *arguments = sys.argv[1:]
    enter(where)
    parent_lives, held_by_parent = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(held_by_parent)
        check("prctl", libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0))
        # The parent may have died before the attribute was set, and has no number here to tell by.
        if select.select([parent_lives], [], [], 0)[0]:
            sys.exit("the parent is gone")
        os.execv(program, [program, *arguments])
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)  # as a shell has it: 128 + signal


if __name__ == "__main__":
    main()
