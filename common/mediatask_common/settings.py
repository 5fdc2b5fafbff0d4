"""Settings that the operator and the API share, read from `MEDIATASK_*` variables.

Each field says meaning, unit and default; the two services extend this class with their own. Some settings have the
name that the rest of the platform uses as a second one; ours takes precedence.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .logging import get_logger

log = get_logger(__name__)


class StoreSettings(BaseSettings):
    """Where media lies (`MEDIATASK_STORE_*`)."""

    model_config = SettingsConfigDict(
        env_prefix="MEDIATASK_STORE_",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        env_ignore_empty=True,
        populate_by_name=True,
    )

    kind: Literal["s3", "file"] = "file"
    """`s3`: any S3 (AWS, R2, MinIO, versitygw). `file`: a folder, served by the API; for one machine."""
    folder: Path = Path("media")
    """`file`: the folder."""
    secret_file: Path | None = None
    """`file`: key that signs its URLs, the same for all processes."""
    get_url: str = "http://localhost:8001/media"
    """`file`: address under which the API serves files."""
    put_url: str = "http://localhost:8002/store"
    """`file`: address under which the API's internal port takes uploads."""
    bucket: str = "mediatask"
    """`s3`: the bucket; must exist."""
    endpoint_url: str | None = None
    """`s3`: address of the service; AWS when absent."""
    external_endpoint_url: str | None = None
    """`s3`: address that callers outside the cluster use in presigned URLs; endpoint_url when absent."""
    region: str = "auto"
    """`s3`: region; `auto` for R2."""
    access_key_id: str | None = None
    """`s3`: credentials; the SDK's usual chain when absent."""
    secret_access_key: SecretStr | None = None
    """`s3`: credentials; never part of a message about wrong settings."""
    addressing: Literal["auto", "path", "virtual"] = "auto"
    """`s3`: how the bucket is addressed; most self-hosted services need `path`."""
    public_url: str | None = Field(
        default=None, validation_alias=AliasChoices("MEDIATASK_STORE_PUBLIC_URL", "R2_PUBLIC_URL")
    )
    """Base URL under which objects are readable without a signature (a CDN); signed URLs when absent."""
    url_expiry_seconds: int = Field(default=7 * 24 * 3600, ge=60, le=7 * 24 * 3600)
    """Life of signed download URLs in webhooks and answers; S3 allows a week at most."""


class CommonSettings(BaseSettings):
    """What both services read."""

    # Credentials are among the values: the address of Redis, for one.
    model_config = SettingsConfigDict(
        env_prefix="MEDIATASK_",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        env_ignore_empty=True,
        populate_by_name=True,
    )

    kubeconfig: Path | None = None
    """Kubeconfig file; `KUBECONFIG` or the pod's service account when absent."""
    redis_url: str | None = Field(default=None, validation_alias=AliasChoices("MEDIATASK_REDIS_URL", "REDIS_URL"))
    """Secret. Redis for the fast view and the event streams; without it everything is read from Kubernetes."""
    budgets_config_map: Annotated[str, Field(pattern=r"^$|^[a-z0-9-]+/[a-z0-9.-]+$")] = ""
    """ConfigMap with the budgets of projects, as `NAMESPACE/NAME`; without it there are none."""
    moderation_config_map: Annotated[str, Field(pattern=r"^$|^[a-z0-9-]+/[a-z0-9.-]+$")] = ""
    """ConfigMap with the moderation rules, as `NAMESPACE/NAME`; without it no request is checked by rules."""
    log_level: str = "INFO"
    """Lowest level that is logged."""
    log_style: Literal["json", "console", "auto"] = "auto"
    """`auto`: readable on a terminal, JSON elsewhere."""
    allow_networks: list[str] = []
    """CIDRs that webhooks and inputs may reach although they are not public, for example 127.0.0.0/8."""
    deny_networks: list[str] = []
    """CIDRs that webhooks and inputs may not reach although they are public, for example those of your own load
    balancers. They take precedence over `allow_networks`."""
    store: StoreSettings = Field(default_factory=StoreSettings)
    """The artifact store."""

    @model_validator(mode="after")
    def _networks(self) -> CommonSettings:
        for network in (*self.allow_networks, *self.deny_networks):
            (IPv6Network if ":" in network else IPv4Network)(network)
        return self


def contradictions(model: type[BaseSettings], environ: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str]]:
    """The variables that name one setting with different values: the one that counts, and the one that does not."""
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseSettings):
            yield from contradictions(field.annotation, environ)
        elif isinstance(field.validation_alias, AliasChoices):
            given = [str(name) for name in field.validation_alias.choices if environ.get(str(name))]
            yield from ((given[0], other) for other in given[1:] if environ[other] != environ[given[0]])


def warn_of_contradictions(model: type[BaseSettings]) -> None:
    """Say at the start which variables do not count. Their values may be credentials, and are not shown."""
    for counts, ignored in contradictions(model):
        log.warning("two variables name one setting, with different values", counts=counts, ignored=ignored)
