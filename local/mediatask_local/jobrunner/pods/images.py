"""Container images on a machine without a container runtime: `python` is this interpreter, others are refused."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from mediatask_common.kube import Object

from .podstate import container_of

PYTHON = "python"


def image_refusal(pod: Object) -> str:
    """Why the pod's image cannot be had here; empty when it can."""
    image = container_of(pod)["image"]
    if image == PYTHON or image.startswith(f"{PYTHON}:"):
        return ""
    return (
        f'image "{image}" cannot be run: the local mode has no container runtime, it runs image "{PYTHON}" '
        "(this machine's interpreter) only. Use a class with that image here, and this one on a cluster."
    )


def shape_refusal(pod: Object) -> str:
    """Why the pod's shape is beyond this runner; empty when it is not."""
    spec = pod["spec"]
    if len(spec["containers"]) != 1 or spec.get("initContainers"):
        return "the local mode runs pods of one container without init containers"
    if spec.get("restartPolicy", "Always") != "Never":
        return "the local mode runs pods with restartPolicy Never only"
    if not container_of(pod).get("command"):
        return f'image "{PYTHON}" has no command of its own: set one'
    return ""


def command_line(container: Object) -> list[str]:
    """Command and arguments, `python` meaning the interpreter that runs this.

    Raises:
        FileNotFoundError: there is no such program.
    """
    words: list[str] = container["command"] + (container.get("args") or [])
    program, arguments = words[0], words[1:]
    if program in ("python", "python3"):
        return [sys.executable, *arguments]
    # Programs installed beside the interpreter come first, as they would in the image.
    found = shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)
    if found is None:
        raise FileNotFoundError(f'exec: "{program}": executable file not found in $PATH')
    return [found, *arguments]
