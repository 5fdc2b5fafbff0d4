"""Mount paths of a pod as folders of this machine, and the environment that speaks of them.

Without mount namespaces a process sees the real file system. So each mount path stands for a folder of the pod, and
every environment value that lies under a mount path is rewritten to that folder; programs that take their paths from
the environment, as Jobs here do, notice nothing.
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
"""Where programs look when no variable tells them: given to them when a mount is there."""
_FROM_THE_MACHINE = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ")
"""All that a pod inherits: the runner's own environment holds credentials."""


class Unsupported(Exception):
    """The pod asks for something that this machine cannot give. The text is for people."""


@dataclass(frozen=True)
class TokenFile:
    """A service-account token to keep in a file."""

    path: Path
    audience: str | None
    expiration_seconds: int


@dataclass(frozen=True)
class PodFolder:
    """The pod's place on disk."""

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
        """Exists once the pod has had a process: it must never get a second one."""
        return self.root / "started"

    def volume(self, name: str) -> Path:
        return self.root / "volumes" / name


@dataclass(frozen=True)
class Mounts:
    """What a pod's paths stand for."""

    folders: dict[str, Path]
    tokens: tuple[TokenFile, ...]

    def translate(self, value: str) -> str:
        """A path under a mount as the path of this machine; everything else unchanged."""
        for mount, folder in sorted(self.folders.items(), key=lambda item: -len(item[0])):
            if value == mount or value.startswith(f"{mount}/"):
                return str(folder) + value[len(mount) :]
        return value


def plan_mounts(pod: Object, folder: PodFolder, models: Path) -> Mounts:
    """Where the pod's mounts lie. Raises Unsupported for volumes of other kinds than emptyDir, token and models."""
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
            raise Unsupported(f'volume "{volume["name"]}" is a {kind}: the local mode has emptyDir and tokens only')
        sub_path = mount.get("subPath")
        folders[mount["mountPath"].rstrip("/")] = place / sub_path if sub_path else place
    return Mounts(folders, tuple(tokens))


def _token(source: Object, volume: str, place: Path) -> TokenFile:
    token = source.get("serviceAccountToken")
    if token is None:
        raise Unsupported(f'volume "{volume}" projects {", ".join(source)}: the local mode has tokens only')
    relative = PurePosixPath(token["path"])
    if relative.is_absolute() or ".." in relative.parts:
        raise Unsupported(f'volume "{volume}": token path "{relative}" leads out of the volume')
    return TokenFile(place / relative, token.get("audience"), token.get("expirationSeconds", 3600))


def make_folders(folder: PodFolder, mounts: Mounts) -> None:
    """Create what the mounts stand for."""
    folder.home.mkdir(parents=True, exist_ok=True)
    for place in mounts.folders.values():
        if place != folder.termination_log:
            place.mkdir(parents=True, exist_ok=True)
    folder.termination_log.touch()


def environment(pod: Object, folder: PodFolder, mounts: Mounts) -> dict[str, str]:
    """All variables of the pod's process. Raises Unsupported for values from elsewhere than the pod itself."""
    values = {name: os.environ[name] for name in _FROM_THE_MACHINE if name in os.environ}
    values |= {"HOME": str(folder.home), "HOSTNAME": pod["metadata"]["name"], "PYTHONUNBUFFERED": "1"}
    # Only the pod's own words are paths of the pod: the folders above may themselves lie below one of its mounts.
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
        raise Unsupported(f"variable {variable['name']}: the local mode knows {', '.join(fields)}, not {source}")
    return str(fields[path])
