"""Shapes of the calls about keys."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, field_validator, model_validator

from mediatask_common.access.keys import MAX_PROJECTS, KeyId, KeyProject
from mediatask_common.access.roles import ROLES, SCOPES, RoleName
from mediatask_common.times import parse_time

from ..http.openapi.schemas import Rest

Scope = Annotated[str, Field(json_schema_extra={"enum": list(SCOPES)})]


class NewKeyRequest(Rest):
    """A key to be made. It cannot do more than the one that makes it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "cutting-room",
                    "projects": ["detective_series_001"],
                    "role": "writer",
                    "expires_at": "2026-12-31T00:00:00Z",
                    "description": "the cutting room's render nodes",
                }
            ]
        }
    )

    name: KeyId
    """Its id: who its tasks are submitted by, in logs and annotations."""
    projects: Annotated[list[KeyProject], Field(min_length=1, max_length=MAX_PROJECTS)]
    """Projects it may use; `*` for all."""
    role: RoleName | None = None
    """What it may do there, by role."""
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))] | None = None
    """What it may do there, scope by scope; instead of a role."""
    expires_at: Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"})] | None = None
    """When it stops being valid, with a time zone; never, when absent."""
    description: Annotated[str, Field(max_length=500)] = ""
    """What it is for."""

    @field_validator("expires_at")
    @classmethod
    def _moment(cls, value: str | None) -> str | None:
        if value is not None and parse_time(value).tzinfo is None:
            raise ValueError("a time zone is expected")
        return value

    @field_validator("scopes")
    @classmethod
    def _known(cls, value: list[str] | None) -> list[str] | None:
        if unknown := sorted(set(value or ()) - SCOPES.keys()):
            raise ValueError(f"there is no scope {unknown[0][:100]!a}")
        return value

    @model_validator(mode="after")
    def _one_kind_of_grant(self) -> NewKeyRequest:
        if (self.role is None) == (self.scopes is None):
            raise ValueError("give either role or scopes")
        return self


class RotationRequest(Rest):
    """How to change to a new secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"overlap_seconds": 3600}]})

    overlap_seconds: Annotated[int, Field(ge=0, le=90 * 24 * 3600)] = 24 * 3600
    """How long the present secret stays valid."""


KEY_SAMPLE: dict[str, Any] = {
    "id": "cutting-room",
    "projects": ["detective_series_001"],
    "role": "writer",
    "scopes": sorted(ROLES["writer"].scopes),
    "description": "the cutting room's render nodes",
    "created_at": "2025-09-24T10:30:00Z",
    "expires_at": "2026-12-31T00:00:00Z",
    "last_used_at": None,
    "earlier_secret_until": None,
}


class KeyAnswer(Rest):
    """A key, without its secret."""

    id: str
    projects: list[str]
    role: RoleName | None
    scopes: list[str]
    """All that it may do, also by role."""
    description: str
    created_at: str | None
    expires_at: str | None
    last_used_at: str | None
    """Accurate to ten minutes."""
    earlier_secret_until: str | None
    """Until when the secret from before the last rotation is valid."""


class NewKeyAnswer(KeyAnswer):
    """A key with its secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**KEY_SAMPLE, "key": "mtk_... (told this once)"}]})

    key: str
    """What its owner sends in `X-API-Key`. It is told this once, and stored nowhere."""


class KeysAnswer(Rest):
    """The keys that the caller may manage."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"keys": [KEY_SAMPLE]}]})

    keys: list[KeyAnswer]
