"""Which pod is calling: its projected token, checked by the API server, and the pod itself."""

# No annotations as strings here: FastAPI cannot resolve those of objects that are dependencies.

from collections.abc import Collection
from typing import Annotated, NamedTuple

from fastapi import Depends, Request

from mediatask_common.kube import PODS, Kube, KubeError
from mediatask_crds.names import TOKEN_AUDIENCE

from ..auth.authenticators import MAX_TOKEN
from ..auth.token_review import ACCOUNT_PREFIX, TokenReviews
from ..http.errors import ApiError
from ..http.route import Access
from ..ttlcache import TtlCache
from .fencing import Pod

POD_NAME = "authentication.kubernetes.io/pod-name"
POD_UID = "authentication.kubernetes.io/pod-uid"

REVIEW_SECONDS = 10
"""A deleted pod's token is refused at the latest after this time; fencing refuses its reports at once."""
POD_SECONDS = 3600
"""A pod's labels do not change, so it is read once."""


class _Holder(NamedTuple):
    """The pod that a token says it is bound to."""

    namespace: str
    name: str
    uid: str


class PodAuth:
    """Tokens to pods."""

    def __init__(self, kube: Kube, namespaces: Collection[str] = ()) -> None:
        """Know the pods of these namespaces; of all where there are none."""
        self._kube = kube
        self._reviews = TokenReviews(kube, TOKEN_AUDIENCE, REVIEW_SECONDS)
        self._namespaces = frozenset(namespaces)
        self._pods: TtlCache[Pod] = TtlCache(POD_SECONDS)

    async def pod(self, token: str) -> Pod:
        """The pod that a token is bound to.

        Raises:
            ApiError: 401 when the token is not valid here, 403 when it is no pod's of a namespace served here.
            KubeError: the API server does not answer.
        """
        holder = await self._holder(token)
        return await self._pods.get(holder.uid, lambda: self._read(holder))

    async def _holder(self, token: str) -> _Holder:
        user = await self._reviews.user(token) if len(token) <= MAX_TOKEN else None
        if user is None:
            raise ApiError(401, "token-not-valid", "The token is not valid for this service.")
        extra = user.get("extra") or {}
        name, uid = (extra.get(POD_NAME) or [""])[0], (extra.get(POD_UID) or [""])[0]
        user_name = str(user.get("username", ""))
        namespace = user_name.removeprefix(ACCOUNT_PREFIX).partition(":")[0]
        served = not self._namespaces or namespace in self._namespaces
        if not user_name.startswith(ACCOUNT_PREFIX) or not name or not served:
            raise ApiError(403, "no-pod-token", "The token is not bound to a pod of a namespace that is served here.")
        return _Holder(namespace, name, uid)

    async def _read(self, holder: _Holder) -> Pod:
        try:
            found = await self._kube.get(PODS, holder.name, holder.namespace)
        except KubeError as error:
            if error.not_found:
                raise ApiError(401, "token-not-valid", "The token's pod is gone.") from error
            raise
        meta = found["metadata"]
        if meta["uid"] != holder.uid:
            raise ApiError(401, "token-not-valid", "The token's pod is gone.")
        return Pod(*holder, meta["creationTimestamp"], meta.get("labels") or {})


class _PodToken(Access):
    """Job pods, by the token that is projected into them."""

    async def __call__(self, request: Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise ApiError(
                401, "not-authenticated", "Send the pod's token as Bearer.", headers={"WWW-Authenticate": "Bearer"}
            )
        auth: PodAuth = request.app.state.authentication
        request.state.pod = await auth.pod(token.strip())


pod_token = Depends(_PodToken())
"""For the `dependencies` of a route: Job pods only."""


async def _calling_pod(request: Request) -> Pod:
    pod: Pod = request.state.pod
    return pod


CallingPod = Annotated[Pod, Depends(_calling_pod)]
"""The pod that sent the request."""
