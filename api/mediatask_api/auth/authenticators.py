"""From what a request shows to a principal: one authenticator for each kind of credential, asked in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from mediatask_common.times import utcnow

from ..http.errors import ApiError
from .keys import KeyRing
from .principal import SCOPES, Principal

API_KEY_HEADER = "X-API-Key"


class Authenticator(Protocol):
    """Knows one kind of credential."""

    challenge: str
    """What WWW-Authenticate says about it."""
    hint: str
    """How to send it, for people."""

    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        """The caller; None where the request shows no credential of this kind.

        Raises:
            ApiError: 401 for a credential that is not valid.
        """


class ApiKeyAuthenticator:
    """Keys of a key ring in `X-API-Key`; they may do everything in their projects."""

    challenge = "ApiKey"
    hint = f"an API key in the header {API_KEY_HEADER}"

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        secret = headers.get(API_KEY_HEADER)
        if not secret:
            return None
        key = self._keys.find(secret, utcnow())
        if key is None:
            raise _unauthenticated(f"The key in {API_KEY_HEADER} is not valid.", self.challenge)
        return Principal(key.id, "api-key", frozenset(key.projects), SCOPES)


class Authentication:
    """The chain: the first authenticator that finds a credential of its kind decides."""

    def __init__(self, authenticators: Sequence[Authenticator]) -> None:
        self._authenticators = authenticators

    async def principal(self, headers: Mapping[str, str]) -> Principal:
        """The caller. Raises ApiError (401) where there is none."""
        for authenticator in self._authenticators:
            found = await authenticator.authenticate(headers)
            if found is not None:
                return found
        hints = " or ".join(authenticator.hint for authenticator in self._authenticators)
        challenges = ", ".join(authenticator.challenge for authenticator in self._authenticators)
        raise _unauthenticated(f"Send {hints}.", challenges)


def _unauthenticated(detail: str, challenge: str) -> ApiError:
    return ApiError(401, "not-authenticated", detail, headers={"WWW-Authenticate": challenge})
