"""The chart's notes, followed to the letter: each command that they print is run as it stands."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.kits.release.commands import Commands

SECONDS = 120

Report = Callable[[str], None]
"""Takes a line that the session's summary shows."""


def joined(text: str) -> str:
    """The text with commands that go over several lines in one."""
    return re.sub(r"\s*\\\n\s*", " ", text)


@dataclass
class Notes:
    """The commands of the notes, in their order.

    Attributes:
        wait: waits until the release runs.
        stay: those that end in `&`: they stay in the background.
        export: the variables that later commands need.
        submit: the first task.
        rest: all others.
    """

    wait: str = ""
    stay: list[str] = field(default_factory=list)
    export: list[str] = field(default_factory=list)
    submit: str = ""
    rest: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, text: str) -> Notes:
        """Commands are the indented lines that begin with a program's name."""
        notes = cls()
        for line in joined(text).splitlines():
            command = line.strip()
            if not line.startswith("  ") or command.partition(" ")[0] not in ("kubectl", "helm", "curl", "export"):
                continue
            if command.endswith("&"):
                notes.stay.append(command.removesuffix("&").strip())
            elif command.startswith("export"):
                notes.export.append(command)
            elif command.startswith("curl"):
                notes.submit = command
            elif " wait " in command:
                notes.wait = command
            else:
                notes.rest.append(command)
        return notes

    def first_task(self, commands: Commands) -> dict[str, Any]:
        """Submits it; the answer, which waits for the task's end."""
        script = "\n".join([*self.export, self.submit.replace("curl", "curl --silent --show-error --fail", 1)])
        answer: dict[str, Any] = json.loads(commands.shell(script))
        return answer


@dataclass(frozen=True)
class FirstTask:
    """What a user has after the notes' first steps.

    Attributes:
        notes: what `helm install` printed.
        seconds: from its start to the task's end.
        answer: to the submit, which waits for the end.
    """

    notes: Notes
    seconds: float
    answer: dict[str, Any]


@contextlib.contextmanager
def staying(commands: Commands, stay: list[str], log: Path) -> Iterator[None]:
    """With commands such as `kubectl port-forward` in the background, from when each says that it works."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        for number, command in enumerate(stay):
            said = log.with_name(f"{log.name}.{number}")
            running.append(commands.start(command, said))
            deadline = time.monotonic() + SECONDS
            while "Forwarding from" not in said.read_text():
                assert running[-1].poll() is None, f"{command} ended: {said.read_text()}"
                assert time.monotonic() < deadline, f"{command}: {said.read_text()}"
                time.sleep(0.05)
        yield
    finally:
        for process in running:
            process.terminate()
            process.wait(10)
