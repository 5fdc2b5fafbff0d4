"""What the cluster says about service-account tokens, asked no more often than it bears."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict

from mediatask_common.kube import TOKENREVIEWS, Kube, Object

from ..http.errors import RETRY_AFTER_SECONDS, ApiError
from ..ttlcache import TtlCache
from .tokens import unverified_claims

ACCOUNT_PREFIX = "system:serviceaccount:"
AT_ONCE = 8
"""Reviews at one time: tokens that only look right cost the API server no more than this."""
QUEUE_SECONDS = 5.0
"""Longest wait for one's turn."""
MOST_KNOWN = 4096


class TokenReviews:
    """The users of tokens for one audience. Answers are kept for a moment, refusals, too.

    Whoever had a valid token a moment ago does not wait behind strangers, however many tokens they try.
    """

    def __init__(self, kube: Kube, audience: str, seconds: float) -> None:
        """Reviews for an audience.

        Args:
            seconds: how long an answer is kept: a token whose account or pod is gone is refused after this time.
        """
        self._kube = kube
        self._audience = audience
        self._answers: TtlCache[Object | None] = TtlCache(seconds)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._for_known = asyncio.Semaphore(AT_ONCE)
        self._for_strangers = asyncio.Semaphore(AT_ONCE)

    async def user(self, token: str) -> Object | None:
        """The user of a token that is valid for the audience; None where it is not.

        Raises:
            ApiError: 503 where too many wait.
            KubeError: the API server does not answer.
        """
        # The API server is asked only about tokens that say they are an account's and for us.
        claims = unverified_claims(token)
        subject, audiences = claims.get("sub"), claims.get("aud")
        if not isinstance(subject, str) or not subject.startswith(ACCOUNT_PREFIX):
            return None
        if not isinstance(audiences, list) or self._audience not in audiences:
            return None
        digest = hashlib.sha256(token.encode()).digest()  # no token stays in memory
        return await self._answers.get(digest, lambda: self._ask(token, digest))

    async def _ask(self, token: str, digest: bytes) -> Object | None:
        turns = self._for_known if digest in self._known else self._for_strangers
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await turns.acquire()
        except TimeoutError:
            raise ApiError(
                503,
                "too-many-reviews",
                "Too many tokens are being checked; try again.",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            ) from None
        try:
            user = await self._review(token)
        finally:
            turns.release()
        self._known.pop(digest, None)
        if user is not None:
            self._known[digest] = None
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return user

    async def _review(self, token: str) -> Object | None:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [self._audience]},
        }
        status: Object = (await self._kube.create(TOKENREVIEWS, body)).get("status") or {}
        if not status.get("authenticated") or self._audience not in (status.get("audiences") or []):
            return None
        user: Object = status.get("user") or {}
        return user
