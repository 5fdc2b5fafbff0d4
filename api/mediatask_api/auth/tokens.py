"""Bearer tokens of an identity provider (JWT): signature, issuer, audience and time, then roles and projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from mediatask_common.access.roles import Grant, of_roles

from ..http.errors import ApiError
from ..settings import JwtSettings
from .authenticators import bearer_token, unauthenticated
from .jwks import Jwks
from .principal import Principal

CHALLENGE = 'Bearer error="invalid_token"'
MAX_SUBJECT = 255
MAX_PROJECTS = 1000
TYPES = {"jwt", "at+jwt"}
"""What a token may say that it is; also with `application/` before it, or not at all."""


class JwtAuthenticator:
    """JWTs of one issuer in `Authorization: Bearer`."""

    challenge = "Bearer"
    hint = "a token of the identity provider as `Authorization: Bearer ...`"

    def __init__(self, settings: JwtSettings, keys: Jwks) -> None:
        self._settings = settings
        self._keys = keys

    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        token = bearer_token(headers)
        if token is None or unverified_claims(token).get("iss") != self._settings.issuer:
            return None
        claims = await self._verified(token)
        return Principal(f"jwt:{claims['sub']}", _projects(self._claim(claims)), self._grant(claims))

    async def _verified(self, token: str) -> dict[str, Any]:
        """The claims of a valid token. Raises ApiError."""
        settings = self._settings
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header["alg"]
            _check_header(header, settings.algorithms)
            key = await self._keys.key(header.get("kid"), algorithm)
            if key is None:
                raise invalid_token("The token is signed with a key that its issuer does not have.")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=settings.audience,
                issuer=settings.issuer,
                leeway=settings.leeway_seconds,
                options={"require": ["exp", "sub", "iss", "aud"], "enforce_minimum_key_length": True},
            )
        except jwt.ExpiredSignatureError as error:
            raise invalid_token("The token has expired.") from error
        except (jwt.ImmatureSignatureError, jwt.InvalidIssuedAtError) as error:
            raise invalid_token("The token is not valid yet.") from error
        except jwt.InvalidAudienceError as error:
            raise invalid_token("The token is for another audience.") from error
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
            raise invalid_token("The token is not valid.") from error
        subject = claims["sub"]
        if not 1 <= len(subject) <= MAX_SUBJECT or not subject.isprintable():
            raise invalid_token("The token's subject is not valid.")
        return claims

    def _grant(self, claims: Mapping[str, Any]) -> Grant:
        return of_roles(
            name for claim in self._settings.role_claims for name in _names(find_claim(claims, claim), "role")
        )

    def _claim(self, claims: Mapping[str, Any]) -> Any:
        return find_claim(claims, self._settings.projects_claim)


def unverified_claims(token: str) -> dict[str, Any]:
    """What a token says, without any check: good only for finding out who is to check it. `{}` where it is none."""
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return {}
    return claims


def find_claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by the way to it: `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def invalid_token(detail: str) -> ApiError:
    """401."""
    return unauthenticated(detail, CHALLENGE)


def _check_header(header: Mapping[str, Any], algorithms: Sequence[str]) -> None:
    """Raises ApiError for what no key could make good."""
    if header["alg"] not in algorithms:
        raise invalid_token("The token's algorithm is not accepted.")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in TYPES:
        raise invalid_token("The token is of another type.")
    if "crit" in header or "b64" in header:
        raise invalid_token("The token has extensions that are not understood.")


def _projects(value: Any) -> frozenset[str]:
    projects = _names(value, "projects")
    if len(projects) > MAX_PROJECTS:
        raise invalid_token(f"The token names more than {MAX_PROJECTS} projects.")
    return frozenset(projects)


def _names(value: Any, what: str) -> list[str]:
    """A claim as a list of names: a list, or a text with blanks between them, as `scope` has it."""
    if value is None:
        return []
    names = value.split() if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise invalid_token(f"The token's {what} are not a list of names.")
    return names
