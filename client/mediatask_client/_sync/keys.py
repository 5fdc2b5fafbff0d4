# Generated from `_async` by `make client`.
"""API keys, for callers with the scope `keys:admin`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ..models import ApiKey, NewApiKey
from ..rest import calls
from .connection import Connected

DAY = timedelta(days=1)


class Keys(Connected):
    """Manages keys of the caller's projects."""

    def create_key(
        self,
        name: str,
        projects: Sequence[str],
        *,
        role: str | None = None,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | str | None = None,
        description: str = "",
    ) -> NewApiKey:
        """Make a key, which can do no more than the caller; its secret is told this once.

        Args:
            projects: where it is valid; `*` for all.
            role, scopes: what it may do; one of the two.
            expires_at: with a time zone; text is RFC 3339.

        Raises:
            Conflict: there is a key of this name.
        """
        call = calls.create_key(
            name, projects, role=role, scopes=scopes, expires_at=expires_at, description=description
        )
        return self._run(call)

    def list_keys(self) -> Sequence[ApiKey]:
        """All keys that the caller may manage, without their secrets."""
        return self._run(calls.list_keys())

    def rotate_key(self, key_id: str, *, overlap: timedelta = DAY) -> NewApiKey:
        """Give a key a new secret; the present one stays valid for the overlap, one from before that ends now."""
        return self._run(calls.rotate_key(key_id, overlap))

    def revoke_key(self, key_id: str) -> None:
        """Revoke a key: it is refused within 5 seconds."""
        self._run(calls.revoke_key(key_id))
