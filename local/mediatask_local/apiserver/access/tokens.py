"""Service-account tokens: issued by TokenRequest, checked by TokenReview and by this server's authentication.

A token is a JWT bound to its audiences, its expiry, its service account and, usually, to one pod; when the pod or the
account is deleted, or recreated under the same name, the token is invalid.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ..errors import ApiError, conflict, invalid, invalid_value, not_found
from ..objects import Object, timestamp
from ..storage.store import Key, Store

ISSUER = "https://kubernetes.default.svc"
API_AUDIENCE = ISSUER
_ALGORITHM = "ES256"
_MINIMUM_SECONDS = 600
_DEFAULT_SECONDS = 3600
# Objects that a token can be bound to, by kind.
_BINDABLE = {"Pod": "pods", "Secret": "secrets"}


class InvalidToken(Exception):
    """A token is invalid, expired or for another audience."""


@dataclass(frozen=True)
class User:
    """The user of a request, as in `authentication.k8s.io`."""

    username: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, list[str]] = field(default_factory=dict)

    def info(self) -> Object:
        found = {"username": self.username, "uid": self.uid, "groups": list(self.groups), "extra": self.extra}
        return {name: value for name, value in found.items() if value}


class TokenIssuer:
    """Signs tokens with the key in `key_file` (PEM, EC P-256) and checks them against the stored objects."""

    def __init__(self, store: Store, key_file: Path) -> None:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{key_file} does not contain an EC private key")
        self._store = store
        self._private_key = key
        self._public_key = key.public_key()

    def request(self, namespace: str, account: str, body: Object) -> Object:
        """Answer a TokenRequest for a service account. Raises ApiError."""
        owner = self._object("serviceaccounts", namespace, account)
        if owner is None:
            raise not_found("serviceaccounts", "", account)
        spec = body.get("spec") or {}
        seconds = spec.get("expirationSeconds", _DEFAULT_SECONDS)
        if not isinstance(seconds, int) or seconds < _MINIMUM_SECONDS:
            error = invalid_value("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
            raise invalid("TokenRequest", "authentication.k8s.io", "", [error])
        audiences = spec.get("audiences") or [API_AUDIENCE]
        bound: dict[str, Any] = {"serviceaccount": {"name": account, "uid": owner["metadata"]["uid"]}}
        reference = spec.get("boundObjectRef")
        if reference:
            bound.update(self._bind(namespace, account, reference))
        now = int(time.time())
        claims = {
            "aud": audiences,
            "exp": now + seconds,
            "iat": now,
            "nbf": now,
            "iss": ISSUER,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": {"namespace": namespace, **bound},
            "sub": f"system:serviceaccount:{namespace}:{account}",
        }
        token = jwt.encode(claims, self._private_key, algorithm=_ALGORITHM)
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": account,
                "namespace": namespace,
                "uid": owner["metadata"]["uid"],
                "creationTimestamp": timestamp(),
            },
            "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": reference or None},
            "status": {"token": token, "expirationTimestamp": timestamp(seconds)},
        }

    def _bind(self, namespace: str, account: str, reference: Object) -> Object:
        kind, name = reference.get("kind", ""), reference.get("name", "")
        if kind not in _BINDABLE:
            raise ApiError(400, "BadRequest", f"cannot bind token for serviceaccount {account!r} to kind {kind!r}")
        obj = self._object(_BINDABLE[kind], namespace, name)
        if obj is None:
            raise not_found(_BINDABLE[kind], "", name)
        uid = obj["metadata"]["uid"]
        if reference.get("uid") not in (None, "", uid):
            why = (
                f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record ({uid})."
            )
            raise conflict(_BINDABLE[kind], "", name, f"{why} The object might have been deleted and then recreated")
        if kind == "Pod" and obj["spec"].get("serviceAccountName") != account:
            message = (
                f"cannot bind token for serviceaccount {account!r} to pod running with different serviceaccount name."
            )
            raise ApiError(400, "BadRequest", message)
        return {kind.lower(): {"name": name, "uid": uid}}

    def check(self, token: str, audiences: list[str]) -> tuple[User, list[str]]:
        """The user of a token, and those of `audiences` that it is valid for. Raises InvalidToken."""
        try:
            claims = jwt.decode(
                token,
                self._public_key,
                algorithms=[_ALGORITHM],
                issuer=ISSUER,
                audience=audiences,
                options={"require": ["exp", "iat", "sub", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise InvalidToken("invalid bearer token") from error
        private = claims["kubernetes.io"]
        namespace, account = private["namespace"], private["serviceaccount"]
        self._check_exists("serviceaccounts", namespace, account)
        extra = {"authentication.kubernetes.io/credential-id": [f"JTI={claims['jti']}"]}
        for kind, plural in _BINDABLE.items():
            if kind.lower() in private:
                self._check_exists(plural, namespace, private[kind.lower()])
        if "pod" in private:
            extra["authentication.kubernetes.io/pod-name"] = [private["pod"]["name"]]
            extra["authentication.kubernetes.io/pod-uid"] = [private["pod"]["uid"]]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        user = User(claims["sub"], account["uid"], groups, extra)
        return user, [audience for audience in audiences if audience in claims["aud"]]

    def _check_exists(self, plural: str, namespace: str, reference: Object) -> None:
        obj = self._object(plural, namespace, reference["name"])
        if obj is None or obj["metadata"]["uid"] != reference["uid"]:
            raise InvalidToken(
                f"{plural.removesuffix('s')} {reference['name']} bound to the token has been invalidated"
            )

    def _object(self, plural: str, namespace: str, name: str) -> Object | None:
        entry = self._store.collection(plural).entries.get(Key(namespace, name))
        return entry.object if entry else None
