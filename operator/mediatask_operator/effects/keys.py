"""The keys that webhooks carry: signing secrets, and the receiver's API key for the hosts that may have it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Generic, TypeVar

from prometheus_client import Gauge

from mediatask_common.logging import get_logger
from mediatask_common.netguard import Target

log = get_logger(__name__)

T = TypeVar("T")

_SECRET_PREFIX = "whsec_"


class KeyFile(Generic[T]):
    """What a file holds, read again whenever it changes; while it cannot be used, what it held last.

    A rotation that went wrong must not stop deliveries: they go on with the keys that receivers know.
    """

    def __init__(self, path: Path, parse: Callable[[str], T], damaged: Gauge) -> None:
        """Read it for the first time.

        Args:
            damaged: 1 while the file cannot be used, by its name (`file`).

        Raises:
            ValueError, OSError: it cannot be used.
        """
        self._path = path
        self._parse = parse
        self._damaged = damaged.labels(path.name)
        self._version = self._look()
        self._value = parse(path.read_text())

    def value(self) -> T:
        """What the file holds now, or held when it could last be used."""
        version = self._look()
        if version != self._version:
            self._version = version
            try:
                self._value = self._parse(self._path.read_text())
                self._damaged.set(0)
            except (ValueError, OSError) as error:
                self._damaged.set(1)
                log.error(
                    "a key file cannot be used: the keys it held before stay", file=str(self._path), why=str(error)
                )
        return self._value

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


class WebhookKeys:
    """Signing secrets and the receiver's API key."""

    def __init__(
        self, secrets_file: Path | None, api_key_file: Path | None, api_key_hosts: Sequence[str], damaged: Gauge
    ) -> None:
        """Read both files.

        Args:
            api_key_hosts: receivers that get the API key: `hooks.example.com`, or `*.example.com` for all below.
            damaged: see `KeyFile`.

        Raises:
            ValueError, OSError: a file cannot be used.
        """
        self._secrets = KeyFile(secrets_file, decode_secrets, damaged) if secrets_file else None
        self._api_key = KeyFile(api_key_file, decode_api_key, damaged) if api_key_file else None
        self._hosts = tuple(host.lower() for host in api_key_hosts)

    def secrets(self) -> list[bytes]:
        """All secrets that sign now; none where no file is configured."""
        return self._secrets.value() if self._secrets else []

    def api_key(self, target: Target) -> str | None:
        """The value of X-API-Key for a receiver; None where there is none for it.

        Whoever creates a task chooses its receiver, so the key goes only to hosts that the operator's settings name,
        and in clear text only to this machine.
        """
        if self._api_key is None or not any(_matches(target.host, host) for host in self._hosts):
            return None
        private = target.scheme == "https" or all(ip_address(address).is_loopback for address in target.addresses)
        return self._api_key.value() if private else None


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def decode_secrets(text: str) -> list[bytes]:
    """The key bytes of `whsec_...` secrets, one a line. Raises ValueError for anything else, and for none."""
    secrets = [_decode_secret(line) for line in text.split()]
    if not secrets:
        raise ValueError("no webhook secret in it")
    return secrets


def _decode_secret(line: str) -> bytes:
    try:
        secret = base64.b64decode(line.removeprefix(_SECRET_PREFIX), validate=True)
        if not line.startswith(_SECRET_PREFIX) or not secret:
            raise ValueError
        return secret
    except (ValueError, binascii.Error):
        raise ValueError("a webhook secret has to be `whsec_` followed by base64") from None


def decode_api_key(text: str) -> str:
    """An API key that fits into a header. Raises ValueError for anything else."""
    key = text.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise ValueError("an API key has to be printable ASCII in one line")
    return key
