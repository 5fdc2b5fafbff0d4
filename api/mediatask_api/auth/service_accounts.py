"""Service accounts of the cluster as callers: a projected token for our audience, checked by the API server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mediatask_common.access.roles import ROLES
from mediatask_common.kube import Kube

from ..settings import ServiceAccount
from .authenticators import bearer_token
from .principal import Principal
from .token_review import ACCOUNT_PREFIX, TokenReviews
from .tokens import invalid_token, unverified_claims

REVIEW_SECONDS = 5
"""A token whose account or pod is gone is refused at the latest after this time."""


class ServiceAccountAuthenticator:
    """Tokens of the listed accounts in `Authorization: Bearer`."""

    challenge = "Bearer"
    hint = "a service account's token as `Authorization: Bearer ...`"

    def __init__(self, kube: Kube, audience: str, accounts: Iterable[ServiceAccount]) -> None:
        self._audience = audience
        self._callers: dict[str, Principal] = {}
        for account in accounts:
            user = f"{ACCOUNT_PREFIX}{account.namespace}:{account.name}"
            self._callers[user] = Principal(user, frozenset(account.projects), ROLES[account.role])
        self._reviews = TokenReviews(kube, audience, REVIEW_SECONDS)

    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        token = bearer_token(headers)
        if token is None:
            return None
        claims = unverified_claims(token)
        audiences = claims.get("aud")
        if claims.get("sub") not in self._callers or not isinstance(audiences, list) or self._audience not in audiences:
            return None
        user = await self._reviews.user(token) or {}
        caller = self._callers.get(str(user.get("username", "")))
        if caller is None:
            raise invalid_token("The token is not valid for this service.")
        return caller
