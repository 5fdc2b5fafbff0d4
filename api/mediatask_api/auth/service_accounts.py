"""Service accounts of the cluster as callers: a projected token for our audience, checked by the API server."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping

from mediatask_common.access.roles import ROLES
from mediatask_common.kube import Kube

from ..http.errors import RETRY_AFTER_SECONDS, ApiError
from ..settings import ServiceAccount
from ..ttlcache import TtlCache
from .authenticators import bearer_token
from .principal import Principal
from .token_review import ACCOUNT_PREFIX, review
from .tokens import invalid_token, unverified_claims

REVIEW_SECONDS = 5
"""A token whose account or pod is gone is refused at the latest after this time."""
REVIEWS = 8
"""Reviews at one time: tokens that only look right cost the API server no more than this."""
QUEUE_SECONDS = 5.0
"""Longest wait for one's turn."""


class ServiceAccountAuthenticator:
    """Tokens of the listed accounts in `Authorization: Bearer`."""

    challenge = "Bearer"
    hint = "a service account's token as `Authorization: Bearer ...`"

    def __init__(self, kube: Kube, audience: str, accounts: Iterable[ServiceAccount]) -> None:
        self._kube = kube
        self._audience = audience
        self._callers: dict[str, Principal] = {}
        for account in accounts:
            user = f"{ACCOUNT_PREFIX}{account.namespace}:{account.name}"
            self._callers[user] = Principal(user, frozenset(account.projects), ROLES[account.role])
        self._reviews: TtlCache[str | None] = TtlCache(REVIEW_SECONDS)
        self._turns = asyncio.Semaphore(REVIEWS)

    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        token = bearer_token(headers)
        if token is None:
            return None
        # The API server is asked only about tokens that say they are of a listed account and for us.
        claims = unverified_claims(token)
        audiences = claims.get("aud")
        if claims.get("sub") not in self._callers or not isinstance(audiences, list) or self._audience not in audiences:
            return None
        digest = hashlib.sha256(token.encode()).digest()  # no token stays in memory
        user = await self._reviews.get(digest, lambda: self._user(token))
        if user is None or user not in self._callers:
            raise invalid_token("The token is not valid for this service.")
        return self._callers[user]

    async def _user(self, token: str) -> str | None:
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise ApiError(
                503,
                "too-many-reviews",
                "Too many tokens are being checked; try again.",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            ) from None
        try:
            user = await review(self._kube, token, self._audience)
        finally:
            self._turns.release()
        return None if user is None else str(user.get("username", ""))
