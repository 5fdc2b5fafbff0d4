"""Where a model's files lie: made by the runtime, in a folder of the pod, or in a cache of hub repositories."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mediatask_crds.model import ModelSource

from ..failures import ModelMissing
from .builtin import BUILTINS, Defaults

# Weights as safetensors and configuration only: nothing that Python would unpickle or run.
_HUB_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]


@dataclass(frozen=True)
class ModelFolder:
    """A model on disk."""

    path: Path
    name: str
    """As it is reported: the builtin's name, the hub id, or the folder's name."""
    revision: str | None
    defaults: Defaults


def locate(source: ModelSource | None, cache: Path, scratch: Path) -> ModelFolder:
    """The folder of a class's model.

    Args:
        source: what the class says.
        cache: a folder shared between pods, perhaps read-only.
        scratch: a folder of this pod's own, for what the cache cannot take.

    Raises:
        ModelMissing: it is not there; the message says what to do.
    """
    if source is not None and source.builtin:
        return _builtin(source.builtin, cache, scratch)
    if source is not None and source.path:
        return _path(Path(source.path), source.revision)
    if source is not None and source.hub:
        return _hub(source.hub, source.revision, cache)
    raise ModelMissing(
        "NoModel", "the task's class names no model: set spec.model of the MediaTaskClass to builtin, path or hub"
    )


def _builtin(name: str, cache: Path, scratch: Path) -> ModelFolder:
    try:
        builtin = BUILTINS[name]
    except KeyError:
        raise ModelMissing(
            "UnknownModel", f"no builtin model {name!r}; this job image has {', '.join(sorted(BUILTINS))}"
        ) from None
    path, revision = builtin.place(cache, scratch)
    return ModelFolder(path, name, revision, builtin.defaults)


def _path(path: Path, revision: str | None) -> ModelFolder:
    if not path.is_dir():
        raise ModelMissing(
            "ModelMissing",
            f"no folder {path} in the pod: mount the claim that holds the model (spec.model.claimName), "
            "or check spec.model.path of the class",
        )
    return ModelFolder(path, path.name, revision, Defaults())


def _hub(repository: str, revision: str | None, cache: Path) -> ModelFolder:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def snapshot(local_only: bool) -> str:
        return snapshot_download(
            repository,
            revision=revision,
            cache_dir=cache,
            allow_patterns=_HUB_FILES,
            local_files_only=local_only,
        )

    wanted = repository if revision is None else f"{repository} at {revision}"
    try:
        try:
            path = Path(snapshot(local_only=True))
        except LocalEntryNotFoundError:
            if offline():
                raise
            path = Path(snapshot(local_only=False))
    except (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ModelMissing("ModelRefused", f"the hub does not give out {wanted}: {error}") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelMissing(
            "ModelMissing",
            f"{wanted} is not in the model cache {cache} and could not be fetched: fill the cache "
            f"(`hf download {repository} --cache-dir {cache}`) on the claim that the class mounts, "
            "or let the job reach the hub",
        ) from error
    return ModelFolder(path, repository, path.name, Defaults())


def offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids the network."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
