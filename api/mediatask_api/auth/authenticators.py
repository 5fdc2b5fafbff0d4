"""From what a request shows to a principal: one authenticator for each kind of credential, asked in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..http.errors import ApiError
from .principal import Principal


class Authenticator(Protocol):
    """Knows one kind of credential."""

    challenge: str
    """What WWW-Authenticate says about it."""
    hint: str
    """How to send it, for people."""

    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        """The caller; None where the request shows no credential of this kind.

        Raises:
            ApiError: 401 for a credential that is not valid, 503 where that cannot be told now.
        """


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
        challenges = ", ".join(dict.fromkeys(authenticator.challenge for authenticator in self._authenticators))
        raise unauthenticated(f"Send {hints}.", challenges)


def unauthenticated(detail: str, challenge: str) -> ApiError:
    """401."""
    return ApiError(401, "not-authenticated", detail, headers={"WWW-Authenticate": challenge})


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """The token of `Authorization: Bearer`, of no more than MAX_TOKEN characters; None where there is none.

    Raises:
        ApiError: 401 for a longer one.
    """
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        return None
    if len(token) > MAX_TOKEN:
        raise unauthenticated("The token is too long.", "Bearer")
    return token


MAX_TOKEN = 16 * 1024
"""Characters of a token; identity providers put many groups into theirs."""
