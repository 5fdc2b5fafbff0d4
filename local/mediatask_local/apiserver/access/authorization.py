"""Authorization: the administrator may do everything, service accounts nothing.

This is deliberate. Job pods call the product's own API and never this server; their tokens are refused here, as in a
real cluster without role bindings.
"""

from __future__ import annotations

import hmac

from ..errors import ApiError, invalid, invalid_value, unauthorized
from ..http.routing import Target
from ..objects import Object
from .tokens import API_AUDIENCE, InvalidToken, TokenIssuer, User

_ADMIN = User("kubernetes-admin", "", ("system:masters", "system:authenticated"))
_ANONYMOUS = User("system:anonymous", "", ("system:unauthenticated",))
# Paths that anyone may read.
PUBLIC_PATHS = frozenset(("/healthz", "/livez", "/readyz", "/version"))


class Access:
    def __init__(self, admin_token: str, tokens: TokenIssuer) -> None:
        self._admin_token = admin_token
        self._tokens = tokens

    def authenticate(self, authorization: str | None) -> User:
        """The user that the Authorization header identifies; anonymous without one. Raises ApiError 401."""
        if not authorization:
            return _ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise unauthorized()
        if hmac.compare_digest(token.encode(), self._admin_token.encode()):
            return _ADMIN
        try:
            return self._tokens.check(token, [API_AUDIENCE])[0]
        except InvalidToken as error:
            raise unauthorized() from error

    def review(self, kind: str, user: User, body: Object) -> Object:
        """The response to a review: the object as sent, with its status. Raises ApiError 422."""
        spec = body.get("spec") or {}
        if kind == "TokenReview":
            return {**body, "status": self._token_review(spec)}
        if kind == "SelfSubjectRulesReview":
            return {**body, "status": _rules(user)}
        if kind == "SelfSubjectAccessReview":
            groups = list(user.groups)
        else:
            if not spec.get("user") and not spec.get("groups"):
                error = invalid_value("spec.user", "", "at least one of user or group must be specified")
                raise invalid("", "authorization.k8s.io", "", [error])
            groups = spec.get("groups") or []
        return {**body, "status": {"allowed": "system:masters" in groups}}

    def _token_review(self, spec: Object) -> Object:
        audiences = spec.get("audiences") or [API_AUDIENCE]
        token = spec.get("token", "")
        if hmac.compare_digest(token.encode(), self._admin_token.encode()):
            return {"authenticated": True, "user": _ADMIN.info(), "audiences": audiences}
        try:
            user, matching = self._tokens.check(token, audiences)
        except InvalidToken as error:
            return {"user": {}, "error": str(error)}
        return {"authenticated": True, "user": user.info(), "audiences": matching}


def is_allowed(user: User) -> bool:
    return "system:masters" in user.groups


def forbidden(user: User, verb: str, path: str, target: Target | None) -> ApiError:
    """A 403 with the message of the real server."""
    if target is None:
        return ApiError(403, "Forbidden", f'forbidden: User "{user.username}" cannot {verb} path "{path}"')
    plural = f"{target.plural}.{target.group}" if target.group else target.plural
    shown = f'{plural} "{target.name}"' if target.name else plural
    resource = f"{target.plural}/{target.subresource}" if target.subresource else target.plural
    scope = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    message = (
        f'{shown} is forbidden: User "{user.username}" cannot {verb} resource "{resource}" '
        f'in API group "{target.group}" {scope}'
    )
    details = {"name": target.name, "group": target.group, "kind": target.plural}
    return ApiError(403, "Forbidden", message, {key: value for key, value in details.items() if value})


def _rules(user: User) -> Object:
    everything: list[Object] = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    paths: list[Object] = [{"verbs": ["*"], "nonResourceURLs": ["*"]}]
    admin = is_allowed(user)
    return {
        "resourceRules": everything if admin else [],
        "nonResourceRules": paths if admin else [],
        "incomplete": False,
    }
