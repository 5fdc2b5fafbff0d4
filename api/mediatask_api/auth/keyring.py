"""The API keys as they are now: followed in their Secret, so that a revoked one stops working within seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from datetime import datetime, timedelta

from mediatask_common.access.keys import ApiKey, digest
from mediatask_common.access.keysecret import KeysSecret, StoredKeys
from mediatask_common.kube import KubeError
from mediatask_common.logging import get_logger
from mediatask_common.times import utcnow

from ..http.errors import ApiError
from .authenticators import unauthenticated
from .principal import Principal

log = get_logger(__name__)

API_KEY_HEADER = "X-API-Key"

WATCH_SECONDS = 2
"""Length of one watch. The next one goes on where it ended: silence beyond this means a lost connection, not peace."""
PATIENCE_SECONDS = WATCH_SECONDS + 1.0
"""Silence after which the Secret is read anew: also a key that is revoked then stops working within 5 seconds."""
PAUSE_SECONDS = 0.5
"""Before the Secret is read anew."""
READ_SECONDS = 5.0
"""Longest wait for it, at the start of the service, too."""

NOTE_SECONDS = 60.0
"""Between two looks at which keys have been used."""
NOTED_AGAIN = timedelta(minutes=10)
"""Accuracy of the time of last use that is kept."""


class KeyRing:
    """The keys of one Secret, without any request of its own for a caller."""

    def __init__(self, secret: KeysSecret) -> None:
        self._secret = secret
        self._stored: StoredKeys | None = None
        self._by_digest: dict[str, tuple[str, ApiKey]] = {}
        self._used: dict[str, datetime] = {}
        self._state = ""

    def find(self, secret: str, now: datetime) -> tuple[str, ApiKey] | None:
        """Name and key of a valid secret.

        Raises:
            ApiError: 503 while nobody has told yet which keys there are.
        """
        if self._stored is None:
            raise ApiError(503, "keys-unknown", "The keys cannot be read yet; try again.", headers={"Retry-After": "2"})
        # How long this takes tells of digests, from which nobody finds a key.
        shown = digest(secret)
        name, key = self._by_digest.get(shown, ("", None))
        if key is None or not key.valid(shown, now):
            return None
        self._used[name] = now
        return name, key

    async def start(self) -> None:
        """Read the keys, if that does not take long: `follow` tries again."""
        await self._read()

    async def follow(self) -> None:
        """Keep up with the Secret, for ever. What cannot be read leaves the last known keys in force."""
        while True:
            if await self._read():
                await self._watch()
            await asyncio.sleep(PAUSE_SECONDS)

    async def note_uses(self) -> None:
        """Write down from time to time which keys are used, for ever."""
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            try:
                await self.note_used()
            except KubeError as error:
                self._say("the last use of keys cannot be noted", error=str(error))

    async def note_used(self) -> None:
        """Write down which keys have been used since that was last done. Raises KubeError."""
        stored = self._stored or StoredKeys("")
        new = {
            name: at
            for name, at in self._used.items()
            if name in stored.keys and (name not in stored.last_used or at - stored.last_used[name] >= NOTED_AGAIN)
        }
        self._used = {}
        if new:
            await self._secret.note_use(new)

    async def _read(self) -> bool:
        """Whether there are keys to watch."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                found = await self._secret.read()
        except (KubeError, TimeoutError) as error:
            self._say("the keys cannot be read, the last known ones stay in force", error=str(error))
            return False
        except Exception:
            # Nothing may end this loop: revoked keys would stay valid without it.
            log.exception("the keys cannot be read, the last known ones stay in force")
            return False
        self._take(found or StoredKeys(""))
        if found is None:
            self._say("there is no Secret with API keys, so none is valid")
            return False
        self._state = ""
        return True

    async def _watch(self) -> None:
        """Take up changes until the watch has to begin anew."""
        assert self._stored is not None
        version = self._stored.version
        try:
            while True:
                async with aclosing(self._secret.changes(version, WATCH_SECONDS, PATIENCE_SECONDS)) as changes:
                    async for kind, found in changes:
                        version = found.version
                        if kind == "DELETED":
                            return
                        if kind != "BOOKMARK":
                            self._take(found)
        except KubeError as error:
            log.debug("watch of keys ended", error=str(error))
        except Exception:
            log.exception("watch of keys failed")

    def _take(self, found: StoredKeys) -> None:
        for entry, fault in found.faults.items():
            if self._stored is None or self._stored.faults.get(entry) != fault:
                log.error("an API key cannot be used", entry=entry, fault=fault)
        self._by_digest = {each: (name, key) for name, key in found.keys.items() for each in key.digests()}
        self._stored = found

    def _say(self, what: str, **about: str) -> None:
        """Log it once, until it changes."""
        if self._state != what:
            log.warning(what, secret=f"{self._secret.namespace}/{self._secret.name}", **about)
        self._state = what


class ApiKeyAuthenticator:
    """Keys of a key ring in `X-API-Key`."""

    challenge = "ApiKey"
    hint = f"an API key in the header {API_KEY_HEADER}"

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        secret = headers.get(API_KEY_HEADER)
        if not secret:
            return None
        found = self._keys.find(secret, utcnow())
        if found is None:
            raise unauthenticated(f"The key in {API_KEY_HEADER} is not valid.", self.challenge)
        name, key = found
        return Principal(f"key:{name}", frozenset(key.projects), key.grant)
