"""API keys over REST, in the shape of `keystore`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from .session import Session


class RestKeys:
    """Each method is a request of its own, by a key with the scope `keys:admin`."""

    def __init__(self, url: str | None, api_key: str | None, folder: Path) -> None:
        self._session = Session(url, api_key, folder)
        self.place = self._session.client.connection.url

    def create(self, name: str, **about: Any) -> dict[str, Any]:
        """A new key with its secret, `{"id", "key", ...}`."""
        with self._session as session:
            return session.client.create_key(name, about.pop("projects"), **about).model_dump(mode="json")

    def list(self) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """All keys that the caller may manage; nothing is told of entries that are none."""
        with self._session as session:
            return [key.model_dump(mode="json") for key in session.client.list_keys()], {}

    def rotate(self, name: str, overlap: timedelta) -> dict[str, Any]:
        """The key with its new secret."""
        with self._session as session:
            return session.client.rotate_key(name, overlap=overlap).model_dump(mode="json")

    def revoke(self, name: str) -> None:
        with self._session as session:
            session.client.revoke_key(name)
