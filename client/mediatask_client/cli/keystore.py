"""The Secret with the API keys, for one command."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from kubernetes.aio.config import ConfigException, list_kube_config_contexts
from pydantic import TypeAdapter, ValidationError

from mediatask_common.access.keys import KeyId, new_key, shown
from mediatask_common.access.keysecret import KeyExists, KeysSecret, NoRoom, NoSuchKey
from mediatask_common.access.roles import ROLES, SCOPES
from mediatask_common.kube import Kube, KubeError
from mediatask_common.times import parse_time, utcnow

from ..errors import MediaTaskError, NotConfigured, UsageError

T = TypeVar("T")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


class KeyStore:
    """Each method is a request of its own. Raises MediaTaskError with what the API server said."""

    def __init__(self, kubeconfig: Path | None, namespace: str | None, secret: str, folder: Path) -> None:
        local = _local(folder) if kubeconfig is None else None
        self._kubeconfig = kubeconfig or local
        self._namespace = namespace or ("default" if local else _context_namespace(self._kubeconfig))
        self._secret = secret

    @property
    def place(self) -> str:
        """Of the keys, for people."""
        return f"the Secret {self._namespace}/{self._secret}"

    def create(self, name: str, **about: Any) -> dict[str, Any]:
        """A new key with its secret, `{"id", "key", ...}`."""
        _check(name, about.get("role"), about.get("scopes"))
        try:
            value, key = new_key(about.pop("projects"), now=utcnow(), **about)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise UsageError(f"{'.'.join(map(str, first['loc'])) or 'key'}: {first['msg']}") from error
        self._do(lambda secret: secret.create(name, key, make_secret=True))
        return {**shown(name, key), "key": value}

    def list(self) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """All keys, and what is wrong with each entry that is none."""
        stored = self._do(lambda secret: secret.read())
        if stored is None:
            return [], {}
        return [
            shown(name, key, stored.last_used.get(name)) for name, key in sorted(stored.keys.items())
        ], stored.faults

    def rotate(self, name: str, overlap: timedelta) -> dict[str, Any]:
        """The key with its new secret."""

        async def rotated(secret: KeysSecret) -> dict[str, Any]:
            value = await secret.rotate(name, overlap)
            stored = await secret.read()
            assert stored is not None
            return {**shown(name, stored.keys[name]), "key": value}

        return self._do(rotated)

    def revoke(self, name: str) -> None:
        self._do(lambda secret: secret.revoke(name))

    def _do(self, act: Callable[[KeysSecret], Coroutine[Any, Any, T]]) -> T:
        async def done() -> T:
            async with await Kube.connect(self._kubeconfig) as kube:
                return await act(KeysSecret(kube, self._namespace, self._secret))

        try:
            return asyncio.run(done())
        except ConfigException as error:
            raise NotConfigured(f"no usable kubeconfig ({error}): give --kubeconfig") from error
        except KeyExists as error:
            raise MediaTaskError(f"there is a key {error} in {self.place} already: rotate or revoke it") from error
        except NoSuchKey as error:
            raise MediaTaskError(f"no key {error} in {self.place}: `mediatask keys list` shows them") from error
        except NoRoom as error:
            raise MediaTaskError(f"{self.place} has no room for another key: revoke one first") from error
        except KubeError as error:
            if error.not_found:
                raise MediaTaskError(
                    f"there is no Secret {self._namespace}/{self._secret}: check --namespace and --secret"
                ) from error
            raise MediaTaskError(f"Kubernetes refused: {error.message}") from error


def moment(text: str) -> datetime:
    """`90d` from now, `2027-01-31` (UTC), or a whole timestamp. Raises UsageError."""
    if re.fullmatch(r"\d+[a-z]", text):
        return utcnow() + duration(text)
    try:
        found = parse_time(text)
    except ValueError as error:
        raise UsageError(f"{text} is no time: write it as 90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def duration(text: str) -> timedelta:
    """`90d`, `12h`, `30m`, `0s`. Raises UsageError."""
    found = re.fullmatch(r"(\d{1,5})([dhms])", text)
    if found is None:
        raise UsageError(f"{text} is no length of time: write it as 90d, 12h, 30m or 10s")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _check(name: str, role: str | None, scopes: list[str] | None) -> None:
    try:
        TypeAdapter(KeyId).validate_python(name)
    except ValidationError as error:
        raise UsageError(f"{name} is no name of a key: 1 to 63 letters, digits, dots and dashes") from error
    if (role is None) == (scopes is None):
        raise UsageError("give either --role or --scope")
    if role is not None and role not in ROLES:
        raise UsageError(f"there is no role {role}; there are {', '.join(ROLES)}")
    if unknown := sorted(set(scopes or ()) - SCOPES.keys()):
        raise UsageError(f"there is no scope {unknown[0]}; there are {', '.join(SCOPES)}")


def _local(folder: Path) -> Path | None:
    """The kubeconfig of a local mode that runs on the folder."""
    try:
        return Path(json.loads((folder / "up.json").read_bytes())["kubeconfig"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _context_namespace(kubeconfig: Path | None) -> str:
    try:
        _, active = list_kube_config_contexts(str(kubeconfig) if kubeconfig else None)
    except ConfigException as error:
        raise NotConfigured(f"no usable kubeconfig ({error}): give --kubeconfig") from error
    namespace: str = active["context"].get("namespace") or "default"
    return namespace
