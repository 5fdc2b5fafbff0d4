"""Settings of the API, read from `MEDIATASK_*` variables."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from mediatask_common.settings import CommonSettings

MAX_BODY_BYTES = 256 * 1024
"""Largest request body: that of a task's data in the resource."""


class ApiSettings(CommonSettings):
    """What the API reads beyond the shared settings."""

    model_config = SettingsConfigDict(env_prefix="MEDIATASK_", use_attribute_docstrings=True)

    api_keys_file: Path
    """JSON list of API keys, `{"id","sha256","projects","expires_at","description"}`; re-read when it changes."""
    namespace: str = "default"
    """The one namespace whose tasks the public routes serve."""
    namespaces: list[str] = []
    """Namespaces whose Job pods may report, the operator's list of them; empty: every one that the rights reach."""
    host: str = "0.0.0.0"
    """Address of the public listener."""
    port: int = 8001
    """Port of the public listener."""
    internal_host: str = "0.0.0.0"
    """Address of the listener for Job pods; never behind the ingress."""
    internal_port: int = 8002
    """Port of the listener for Job pods."""
    drain_seconds: float = Field(default=0, ge=0)
    """Seconds between SIGTERM and the last accepted request. Behind a load balancer: as long as it needs to notice."""
    public_url: str | None = None
    """Address under which callers reach the API; prefix of `Location` headers and server of the OpenAPI document."""
