"""Container images on a machine without a container runtime: `python` is this interpreter, others are refused."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from mediatask_common.kube import Object

from .podstate import container_of

PYTHON = "python"


def image_refusal(pod: Object) -> str:
    """Why the pod's image cannot be run here; empty when it can."""
    image = container_of(pod)["image"]
    if image == PYTHON or image.startswith(f"{PYTHON}:"):
        return ""
    return (
        f'image "{image}" cannot be run: the local mode has no container runtime and runs only image "{PYTHON}" '
        "(this machine's interpreter). Use a class with that image here, and this one on a cluster."
    )


def spec_refusal(pod: Object) -> str:
    """Why the pod's spec is not supported here; empty when it is."""
    spec = pod["spec"]
    if len(spec["containers"]) != 1 or spec.get("initContainers"):
        return "the local mode supports only pods with one container and no init containers"
    if spec.get("restartPolicy", "Always") != "Never":
        return "the local mode supports only restartPolicy Never"
    if not container_of(pod).get("command"):
        return f'image "{PYTHON}" has no default command: set one'
    return ""


def command_line(container: Object) -> list[str]:
    """Command and arguments; `python` and `python3` are the current interpreter.

    Raises:
        FileNotFoundError: there is no such program.
    """
    words: list[str] = container["command"] + (container.get("args") or [])
    program, arguments = words[0], words[1:]
    if program in ("python", "python3"):
        return [sys.executable, *arguments]
    # Programs installed beside the interpreter take precedence, as they would in the image.
    found = shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)
    if found is None:
        raise FileNotFoundError(f'exec: "{program}": executable file not found in $PATH')
    return [found, *arguments]
