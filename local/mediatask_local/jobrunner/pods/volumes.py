"""A pod's mount paths as folders of this machine, and its environment with paths rewritten to match.

Without mount namespaces a process sees the real file system. So each mount path is mapped to a folder of the
pod, and every environment value under a mount path is rewritten to that folder. Programs that take their paths from
the environment, as Jobs here do, notice no difference.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mediatask_common.kube import Object
from mediatask_crds.podcontract import (
    ENV_MODEL_CACHE,
    ENV_TERMINATION_LOG,
    ENV_TOKEN_FILE,
    ENV_WORK,
    TERMINATION_LOG,
    TOKEN_DIR,
)

from .podstate import container_of

MODELS_MOUNT = "/models"
"""Shared by all pods of this machine, so that a model is fetched or built once."""
_PATH_DEFAULTS = {
    ENV_TERMINATION_LOG: TERMINATION_LOG,
    ENV_TOKEN_FILE: f"{TOKEN_DIR}/token",
    ENV_WORK: "/work",
    ENV_MODEL_CACHE: MODELS_MOUNT,
    "TMPDIR": "/tmp",
}
"""Default paths of programs, set explicitly when they lie under a mount path."""
_INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ")
"""The only variables that a pod inherits: the runner's environment holds credentials."""


class Unsupported(Exception):
    """The pod needs something that the local mode does not support. The message is meant for users."""


@dataclass(frozen=True)
class TokenFile:
    """A service-account token to keep in a file."""

    path: Path
    audience: str | None
    expiration_seconds: int


@dataclass(frozen=True)
class PodFolder:
    """The pod's folder on disk."""

    root: Path

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def termination_log(self) -> Path:
        return self.root / "termination-log"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def started(self) -> Path:
        """Marker file: exists once the pod has had a process. It must never get a second one."""
        return self.root / "started"

    def volume(self, name: str) -> Path:
        return self.root / "volumes" / name


@dataclass(frozen=True)
class Mounts:
    """The folders of a pod by mount path, and its token files."""

    folders: dict[str, Path]
    tokens: tuple[TokenFile, ...]

    def translate(self, value: str) -> str:
        """A path under a mount path as a path of this machine; any other value unchanged."""
        for mount, folder in sorted(self.folders.items(), key=lambda item: -len(item[0])):
            if value == mount or value.startswith(f"{mount}/"):
                return str(folder) + value[len(mount) :]
        return value


def plan_mounts(pod: Object, folder: PodFolder, models: Path) -> Mounts:
    """Map the pod's mounts to folders. Raises Unsupported for volumes other than emptyDir, tokens and models."""
    container = container_of(pod)
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
    folders = {container.get("terminationMessagePath", TERMINATION_LOG): folder.termination_log}
    tokens: list[TokenFile] = []
    for mount in container.get("volumeMounts") or []:
        volume = volumes[mount["name"]]
        place = folder.volume(volume["name"])
        if mount["mountPath"] == MODELS_MOUNT:
            place = models
        elif "projected" in volume:
            tokens += [_token(source, volume["name"], place) for source in volume["projected"]["sources"]]
        elif "emptyDir" not in volume:
            kind = next(field for field in volume if field != "name")
            raise Unsupported(f'volume "{volume["name"]}" is a {kind}: only emptyDir and tokens are supported here')
        sub_path = mount.get("subPath")
        folders[mount["mountPath"].rstrip("/")] = place / sub_path if sub_path else place
    return Mounts(folders, tuple(tokens))


def _token(source: Object, volume: str, place: Path) -> TokenFile:
    token = source.get("serviceAccountToken")
    if token is None:
        raise Unsupported(f'volume "{volume}" projects {", ".join(source)}: only tokens are supported here')
    relative = PurePosixPath(token["path"])
    if relative.is_absolute() or ".." in relative.parts:
        raise Unsupported(f'volume "{volume}": token path "{relative}" is outside the volume')
    return TokenFile(place / relative, token.get("audience"), token.get("expirationSeconds", 3600))


def make_folders(folder: PodFolder, mounts: Mounts) -> None:
    """Create the pod's folders and its termination log."""
    folder.home.mkdir(parents=True, exist_ok=True)
    for place in mounts.folders.values():
        if place != folder.termination_log:
            place.mkdir(parents=True, exist_ok=True)
    folder.termination_log.touch()


def environment(pod: Object, folder: PodFolder, mounts: Mounts) -> dict[str, str]:
    """The complete environment of the pod's process. Raises Unsupported for values from anything but the pod itself."""
    values = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    values |= {"HOME": str(folder.home), "HOSTNAME": pod["metadata"]["name"], "PYTHONUNBUFFERED": "1"}
    # Only values from the pod are translated: the folders above may themselves lie under one of its mount paths.
    for name, path in _PATH_DEFAULTS.items():
        if mounts.translate(path) != path:
            values[name] = mounts.translate(path)
    for variable in container_of(pod).get("env") or []:
        values[variable["name"]] = mounts.translate(_value(variable, pod))
    return values


def _value(variable: Object, pod: Object) -> str:
    source = variable.get("valueFrom")
    if source is None:
        return str(variable.get("value", ""))
    path = (source.get("fieldRef") or {}).get("fieldPath", "")
    fields = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "metadata.uid": pod["metadata"]["uid"],
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", ""),
    }
    if path not in fields:
        raise Unsupported(f"variable {variable['name']}: only {', '.join(fields)} are supported, not {source}")
    return str(fields[path])
