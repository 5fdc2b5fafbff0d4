"""The keys of an identity provider (JWKS): kept, renewed in time, and read with care.

Callers never wait for the provider while their token's key is known: keys are renewed beside their requests, and keys
that cannot be renewed stay in force for a day. A key that is not known makes the set be read again at once, as it is
when the provider has changed to a new key; once a second at most, however many tokens name keys that do not exist.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import httpx
import orjson
from jwt import PyJWK, PyJWTError

from mediatask_common.logging import get_logger

from ..http.errors import RETRY_AFTER_SECONDS, ApiError
from ..single_flight import SingleFlight

log = get_logger(__name__)

FRESH_SECONDS = 300.0
"""Age from which on keys are renewed; one that the provider withdraws is valid no longer than this."""
KEPT_SECONDS = 24 * 3600.0
"""Age from which on keys that could not be renewed are not believed any more."""
PAUSE_SECONDS = 1.0
"""Between the starts of two readings."""
READ_SECONDS = 3.0
"""Longest reading, from connecting to the last byte."""
MAX_BYTES = 256 * 1024
MAX_KEYS = 64

_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""Key type by the first two letters of an algorithm."""

_CURVES = {"ES256": {"P-256"}, "ES384": {"P-384"}, "ES512": {"P-521"}, "EdDSA": {"Ed25519", "Ed448"}}
"""Curves of an algorithm; RSA has none."""

Known = dict[tuple[str | None, str], PyJWK]
"""Keys by id and algorithm."""


class Jwks:
    """The keys behind one URL. Close it in the end."""

    def __init__(self, url: str, algorithms: Iterable[str]) -> None:
        self._url = url
        self._algorithms = tuple(algorithms)
        # Redirects could lead anywhere; a compressed answer would not be bounded by what is read.
        self._client = httpx.AsyncClient(follow_redirects=False, headers={"Accept-Encoding": "identity"}, timeout=None)
        self._known: Known = {}
        self._read_at = float("-inf")
        self._began_at = float("-inf")
        self._readings: SingleFlight[None] = SingleFlight()
        self._renewal: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait({self._renewal})
        await self._client.aclose()

    async def key(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """The key of this id for an algorithm; without an id, the only one there is for it.

        Raises:
            ApiError: 503 where no keys are known, because the provider does not answer.
        """
        age = time.monotonic() - self._read_at
        if age < KEPT_SECONDS:
            if age >= FRESH_SECONDS and (self._renewal is None or self._renewal.done()):
                self._renewal = asyncio.create_task(self._readings.get("keys", self._read))
            if found := self._pick(key_id, algorithm):
                return found
        await self._readings.get("keys", self._read)
        if time.monotonic() - self._read_at >= KEPT_SECONDS:
            raise ApiError(
                503,
                "issuer-unavailable",
                "The identity provider's keys cannot be read now; try again.",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        return self._pick(key_id, algorithm)

    def _pick(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        if key_id is not None:
            return self._known.get((key_id, algorithm))
        fitting = [key for (_, used_with), key in self._known.items() if used_with == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    async def _read(self) -> None:
        """Renew the keys; those that are known stay where that fails."""
        await asyncio.sleep(max(0.0, self._began_at + PAUSE_SECONDS - time.monotonic()))
        self._began_at = time.monotonic()
        try:
            async with asyncio.timeout(READ_SECONDS):
                known = usable_keys(await self._fetch(), self._algorithms)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            log.warning("keys of the identity provider cannot be read", url=self._url, error=repr(error)[:300])
            return
        self._known, self._read_at = known, time.monotonic()

    async def _fetch(self) -> bytes:
        async with self._client.stream("GET", self._url) as answer:
            if answer.status_code != 200:
                raise ValueError(f"HTTP {answer.status_code}")
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise ValueError("compressed, which was not asked for")
            content = bytearray()
            async for chunk in answer.aiter_raw():
                content += chunk
                if len(content) > MAX_BYTES:
                    raise ValueError(f"larger than {MAX_BYTES} bytes")
        return bytes(content)


def usable_keys(content: bytes, algorithms: Iterable[str]) -> Known:
    """The keys of a set that verify signatures of these algorithms; all others are passed over.

    Raises:
        ValueError: it is no set, or one without any usable key.
    """
    document = orjson.loads(content)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a JWK set")
    known: Known = {}
    for entry in listed[:MAX_KEYS]:
        for algorithm in algorithms:
            key = _usable(entry, algorithm)
            if key is not None:
                known.setdefault((entry.get("kid"), algorithm), key)
    if not known:
        raise ValueError("no usable key in the set")
    return known


def _usable(entry: Any, algorithm: str) -> PyJWK | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str | None):
        return None
    # Not a private key, not one for another purpose, and bound to one algorithm where it says so.
    if "d" in entry or entry.get("kty") != _TYPES[algorithm[:2]] or entry.get("alg", algorithm) != algorithm:
        return None
    if entry.get("crv") not in _CURVES.get(algorithm, {None}):
        return None
    operations = entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    try:
        key = PyJWK(entry, algorithm)
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    return None if key.Algorithm.check_key_length(key.key) else key
