"""Managing keys without gaining rights by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from mediatask_common.access.keys import ApiKey, new_key, shown
from mediatask_common.access.keysecret import KeyExists, KeysSecret, NoRoom, NoSuchKey, StoredKeys
from mediatask_common.access.roles import ALL_PROJECTS
from mediatask_common.kube import KubeError
from mediatask_common.times import parse_time, utcnow

from ..auth.principal import Principal
from ..http.errors import ApiError, invalid_field
from .schemas import KeyAnswer, NewKeyAnswer, NewKeyRequest


class KeyService:
    """The keys of one Secret, as far as a caller may manage them. Raises ApiError, and KubeError when it is away."""

    def __init__(self, secret: KeysSecret) -> None:
        self._secret = secret

    async def list(self, caller: Principal) -> list[KeyAnswer]:
        """Keys whose projects are all the caller's."""
        stored = await self._read()
        return [
            KeyAnswer(**shown(name, key, stored.last_used.get(name)))
            for name, key in sorted(stored.keys.items())
            if _within(caller, key)
        ]

    async def create(self, caller: Principal, wanted: NewKeyRequest) -> NewKeyAnswer:
        now = utcnow()
        expires_at = parse_time(wanted.expires_at) if wanted.expires_at is not None else None
        if expires_at is not None and expires_at <= now:
            raise invalid_field(["body", "expires_at"], "this is over already")
        secret, key = new_key(
            wanted.projects,
            now=now,
            role=wanted.role,
            scopes=wanted.scopes,
            expires_at=expires_at,
            description=wanted.description,
        )
        if not (_within(caller, key) and caller.grant.covers(key.grant)):
            raise beyond_own_rights()
        with _told():
            await self._secret.create(wanted.name, key)
        return NewKeyAnswer(**shown(wanted.name, key), key=secret)

    async def rotate(self, caller: Principal, name: str, overlap: timedelta) -> NewKeyAnswer:
        await self._find(caller, name)
        with _told():
            secret = await self._secret.rotate(name, overlap)
        key = (await self._read()).keys[name]
        return NewKeyAnswer(**shown(name, key), key=secret)

    async def revoke(self, caller: Principal, name: str) -> None:
        await self._find(caller, name)
        with _told():
            await self._secret.revoke(name)

    async def _find(self, caller: Principal, name: str) -> ApiKey:
        """A key that the caller may change: 404 for others, and 403 for those that can do more than the caller."""
        key = (await self._read()).keys.get(name)
        if key is None or not _within(caller, key):
            raise key_not_found()
        if not caller.grant.covers(key.grant):
            raise ApiError(403, "beyond-own-rights", "This key can do more than the caller.")
        return key

    async def _read(self) -> StoredKeys:
        return await self._secret.read() or StoredKeys("")


def _within(caller: Principal, key: ApiKey) -> bool:
    return caller.all_projects or (ALL_PROJECTS not in key.projects and caller.projects.issuperset(key.projects))


def beyond_own_rights() -> ApiError:
    """403."""
    return ApiError(403, "beyond-own-rights", "A key cannot do more than the caller that makes it.")


def key_exists() -> ApiError:
    """409."""
    return ApiError(409, "key-exists", "There is a key of this name already.")


def too_many_keys() -> ApiError:
    """409."""
    return ApiError(409, "too-many-keys", "There is no room for another key: revoke one first.")


def key_not_found() -> ApiError:
    """404."""
    return ApiError(404, "key-not-found", "There is no key of this name.")


@contextmanager
def _told() -> Iterator[None]:
    """What the Secret has no room for, or does not have, in the words of REST."""
    try:
        yield
    except KeyExists as error:
        raise key_exists() from error
    except NoRoom as error:
        raise too_many_keys() from error
    except NoSuchKey as error:
        raise key_not_found() from error
    except KubeError as error:
        if error.not_found:
            detail = "There is no Secret for keys yet: `mediatask keys create` makes it."
            raise ApiError(409, "no-keys-secret", detail) from error
        raise
