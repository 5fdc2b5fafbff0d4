"""API keys: 256 random bits for their owner, a digest for the service. Pure."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ..times import rfc3339
from .roles import ALL_PROJECTS, ROLES, Grant, RoleName, of_scopes

PREFIX = "mtk_"
"""By which scanners of repositories and logs find keys that do not belong there."""

MAX_PROJECTS = 256

KeyId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")]
"""Name of a key, and of its owner in logs: as the name part of a Kubernetes annotation."""
KeyProject = Annotated[str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Stored(BaseModel):
    # Unlike other stored objects: a restriction that this version does not know must not be dropped in silence.
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class EarlierSecret(_Stored):
    """The secret before the last rotation, while both are valid."""

    sha256: Sha256
    until: AwareDatetime
    """When it stops being valid."""


class ApiKey(_Stored):
    """A key as it is stored: nobody can sign in with what the Secret holds."""

    sha256: Sha256
    """Digest of the key, hexadecimal. A key has 256 random bits, so a slow hash would add nothing."""
    projects: Annotated[list[KeyProject], Field(min_length=1, max_length=MAX_PROJECTS)]
    """Projects the key may use; `*` for all."""
    role: RoleName | None = None
    """What it may do there, by role."""
    scopes: Annotated[list[str], Field(max_length=64)] | None = None
    """What it may do there, scope by scope; instead of a role."""
    expires_at: AwareDatetime | None = None
    """When it stops being valid."""
    description: Annotated[str, Field(max_length=500)] = ""
    """What it is for."""
    created_at: AwareDatetime | None = None
    earlier: EarlierSecret | None = None
    """Until a rotation is over."""

    @model_validator(mode="after")
    def _one_kind_of_grant(self) -> Self:
        if (self.role is None) == (self.scopes is None):
            raise ValueError("give either role or scopes")
        return self

    @property
    def grant(self) -> Grant:
        return ROLES[self.role] if self.role is not None else of_scopes(self.scopes or ())

    def valid(self, digest: str, now: datetime) -> bool:
        """Whether the key whose digest this is can be used now."""
        if self.expires_at is not None and now >= self.expires_at:
            return False
        if digest == self.sha256:
            return True
        return self.earlier is not None and digest == self.earlier.sha256 and now < self.earlier.until

    def digests(self) -> list[str]:
        """Of the present secret and of the one before, if it is still kept."""
        return [self.sha256, *([self.earlier.sha256] if self.earlier else [])]


def new_key(
    projects: Sequence[str] = (ALL_PROJECTS,),
    *,
    now: datetime | None = None,
    role: RoleName | None = None,
    scopes: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    description: str = "",
) -> tuple[str, ApiKey]:
    """A new key: the secret for its owner, and what is stored of it. Raises ValidationError."""
    secret = new_secret()
    stored = ApiKey(
        sha256=digest(secret),
        projects=list(projects),
        role=role,
        scopes=None if scopes is None else list(scopes),
        expires_at=expires_at,
        description=description,
        created_at=now,
    )
    return secret, stored


def rotated(key: ApiKey, until: datetime) -> tuple[str, ApiKey]:
    """The key with a new secret; the present one stays valid until then, one before that ends now."""
    secret = new_secret()
    earlier = EarlierSecret(sha256=key.sha256, until=until)
    return secret, key.model_copy(update={"sha256": digest(secret), "earlier": earlier})


def new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def shown(name: str, key: ApiKey, last_used: datetime | None = None) -> dict[str, Any]:
    """What may be told of a key, as JSON values: the same from REST and the command line."""
    return {
        "id": name,
        "projects": key.projects,
        "role": key.role,
        "scopes": sorted(key.grant.scopes),
        "description": key.description,
        "created_at": _text(key.created_at),
        "expires_at": _text(key.expires_at),
        "last_used_at": _text(last_used),
        "earlier_secret_until": _text(key.earlier.until if key.earlier else None),
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
