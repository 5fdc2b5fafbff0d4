"""The Kubernetes Secret that holds the API keys: one entry `NAME.json` for each.

Entries are independent of each other: keys from Git, from Helm and from `mediatask keys` can live side by side, and a
mistake in one of them locks out nobody else. Entries with other names are not looked at. When a key was last used is an
annotation, so that it is in nobody's way who applies the entries.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from mediatask_crds.names import GROUP

from ..kube import SECRETS, Kube, KubeError, Object
from ..times import parse_time, rfc3339, utcnow
from .keys import ApiKey, KeyId, rotated

DEFAULT_NAME = "mediatask-api-keys"
SUFFIX = ".json"
LAST_USED = f"last-used.{GROUP}/"
"""Prefix of the annotations."""

MAX_KEYS = 1000
"""Keys in one Secret; a Secret has 1 MiB."""
WRITE_TRIES = 6

_KEY_ID = TypeAdapter(KeyId)
T = TypeVar("T")


class KeyExists(Exception):
    """There is a key of this name."""


class NoSuchKey(Exception):
    """There is no key of this name."""


class NoRoom(Exception):
    """There are as many keys as one Secret may hold."""


@dataclass(frozen=True)
class StoredKeys:
    """What a Secret holds."""

    version: str
    """Its resourceVersion."""
    keys: dict[str, ApiKey] = field(default_factory=dict)
    """By name."""
    last_used: dict[str, datetime] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    """What is wrong with each entry that cannot be used, without its content."""


def read_secret(secret: Object) -> StoredKeys:
    """The keys of a Secret."""
    found = StoredKeys(secret["metadata"].get("resourceVersion", ""))
    for entry, content in (secret.get("data") or {}).items():
        if not entry.endswith(SUFFIX):
            continue
        try:
            name = _KEY_ID.validate_python(entry.removesuffix(SUFFIX))
            found.keys[name] = ApiKey.model_validate_json(base64.b64decode(content or "", validate=True))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            found.faults[entry] = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
        except (binascii.Error, ValueError):
            found.faults[entry] = "not readable"
    for annotation, value in (secret["metadata"].get("annotations") or {}).items():
        if annotation.startswith(LAST_USED):
            with contextlib.suppress(ValueError):
                # Without a zone it is nothing that this service has written.
                if (at := parse_time(value)).tzinfo is not None:
                    found.last_used[annotation.removeprefix(LAST_USED)] = at
    return found


class KeysSecret:
    """Reads and changes one Secret. Every method raises KubeError."""

    def __init__(self, kube: Kube, namespace: str, name: str = DEFAULT_NAME) -> None:
        self._kube = kube
        self.namespace = namespace
        self.name = name

    async def read(self) -> StoredKeys | None:
        """What it holds now; None where there is no such Secret."""
        try:
            return read_secret(await self._kube.get(SECRETS, self.name, self.namespace))
        except KubeError as error:
            if error.not_found:
                return None
            raise

    async def changes(self, version: str, seconds: int, patience: float) -> AsyncGenerator[tuple[str, StoredKeys]]:
        """Events (ADDED | MODIFIED | DELETED | BOOKMARK) since a version, for some seconds.

        Args:
            seconds: after which the API server ends the watch.
            patience: seconds without any news after which the connection counts as lost.
        """
        selector = f"metadata.name={self.name}"
        async for kind, secret in self._kube.watch(
            SECRETS, self.namespace, version, silence=patience, fieldSelector=selector, timeoutSeconds=str(seconds)
        ):
            yield kind, read_secret(secret)

    async def create(self, name: str, key: ApiKey, *, make_secret: bool = False) -> None:
        """Add a key.

        Args:
            make_secret: create the Secret where there is none.

        Raises:
            KeyExists: also for an entry of this name that cannot be read.
            NoRoom: the Secret is full.
        """

        def change(stored: StoredKeys) -> tuple[ApiKey, None]:
            if name in stored.keys or f"{name}{SUFFIX}" in stored.faults:
                raise KeyExists(name)
            if len(stored.keys) + len(stored.faults) >= MAX_KEYS:
                raise NoRoom
            return key, None

        try:
            await self._change(name, change)
        except KubeError as error:
            if not (error.not_found and make_secret):
                raise
            body = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": self.name, "namespace": self.namespace},
                "data": {f"{name}{SUFFIX}": _encoded(key)},
            }
            await self._kube.create(SECRETS, body, self.namespace)

    async def rotate(self, name: str, overlap: timedelta) -> str:
        """Give a key a new secret, which is returned; the present one stays valid for the overlap. Raises NoSuchKey."""

        def change(stored: StoredKeys) -> tuple[ApiKey, str]:
            secret, key = rotated(_named(stored.keys, name), utcnow() + overlap)
            return key, secret

        return await self._change(name, change)

    async def revoke(self, name: str) -> None:
        """Remove a key. Raises NoSuchKey."""

        def change(stored: StoredKeys) -> tuple[None, None]:
            if f"{name}{SUFFIX}" not in stored.faults:
                _named(stored.keys, name)
            return None, None

        await self._change(name, change)

    async def note_use(self, used: Mapping[str, datetime]) -> None:
        """Write down when keys were last used."""
        annotations = {f"{LAST_USED}{name}": rfc3339(at) for name, at in used.items()}
        await self._kube.patch(SECRETS, self.name, {"metadata": {"annotations": annotations}}, self.namespace)

    async def _change(self, name: str, change: Callable[[StoredKeys], tuple[ApiKey | None, T]]) -> T:
        """Write the entry that `change` makes of the keys as they are now; None removes it."""
        for tries in range(1, WRITE_TRIES + 1):
            stored = read_secret(await self._kube.get(SECRETS, self.name, self.namespace))
            key, outcome = change(stored)
            metadata: Object = {"resourceVersion": stored.version}
            if key is None:
                metadata["annotations"] = {f"{LAST_USED}{name}": None}
            body = {"metadata": metadata, "data": {f"{name}{SUFFIX}": None if key is None else _encoded(key)}}
            try:
                await self._kube.patch(SECRETS, self.name, body, self.namespace)
                return outcome
            except KubeError as error:
                if not error.conflict or tries == WRITE_TRIES:
                    raise
        raise AssertionError("unreachable")


def _named(keys: Mapping[str, ApiKey], name: str) -> ApiKey:
    if name not in keys:
        raise NoSuchKey(name)
    return keys[name]


def _encoded(key: ApiKey) -> str:
    return base64.b64encode(key.model_dump_json(exclude_none=True, exclude_defaults=True).encode()).decode()
