"""Settings of the API, read from `MEDIATASK_*` variables."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mediatask_common.access.keys import KeyProject
from mediatask_common.access.keysecret import DEFAULT_NAME
from mediatask_common.access.roles import RoleName
from mediatask_common.settings import CommonSettings
from mediatask_crds.names import TOKEN_AUDIENCE

Origin = Annotated[str, Field(pattern=r"^(\*|https?://[a-z0-9.-]+(:[0-9]{1,5})?)$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+(/[^\s]*)?$", max_length=2048)]
Environment = Literal["development", "staging", "production"]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class JwtSettings(BaseSettings):
    """The identity provider whose tokens are accepted (`MEDIATASK_JWT_*`); none without an issuer."""

    model_config = SettingsConfigDict(env_prefix="MEDIATASK_JWT_", use_attribute_docstrings=True, env_ignore_empty=True)

    issuer: str = ""
    """What `iss` has to be, letter for letter."""
    audience: str = ""
    """What `aud` has to be, or contain."""
    jwks_url: str = ""
    """Where the issuer's keys are; https, but on this machine."""
    algorithms: Annotated[list[Algorithm], Field(min_length=1)] = ["RS256", "ES256"]
    """What tokens may be signed with; no algorithm with a shared secret can be named."""
    leeway_seconds: int = Field(default=30, ge=0, le=300)
    """By how much the clocks of issuer and API may differ."""
    role_claims: list[str] = ["role", "roles"]
    """Claims with roles (viewer, writer, director, producer), each a name or a list; `a.b` for one within another."""
    projects_claim: str = "projects"
    """Claim with the projects, a list; `*` for all."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        given = (self.issuer, self.audience, self.jwks_url)
        if any(given) and not all(given):
            raise ValueError("MEDIATASK_JWT_ISSUER, MEDIATASK_JWT_AUDIENCE and MEDIATASK_JWT_JWKS_URL belong together")
        address = urlsplit(self.jwks_url)
        if self.jwks_url and not (
            (address.scheme == "https" and address.hostname)
            or (address.scheme == "http" and address.hostname in ("localhost", "127.0.0.1", "::1"))
        ):
            raise ValueError("MEDIATASK_JWT_JWKS_URL has to be an https address")
        return self


class ServiceAccount(BaseModel):
    """A service account of the cluster that may call."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    namespace: str
    name: str
    role: RoleName
    projects: Annotated[list[KeyProject], Field(min_length=1)]
    """`*` for all."""


class ApiSettings(CommonSettings):
    """What the API reads beyond the shared settings."""

    model_config = SettingsConfigDict(env_prefix="MEDIATASK_", use_attribute_docstrings=True)

    namespace: str = "default"
    """The one namespace whose tasks the public routes serve."""
    api_keys_secret: str = DEFAULT_NAME
    """Name of the Secret with the API keys, an entry `NAME.json` for each; followed while the service runs."""
    api_keys_namespace: str | None = None
    """Its namespace; `namespace` when absent."""
    jwt: JwtSettings = Field(default_factory=JwtSettings)
    """The identity provider."""
    service_accounts: list[ServiceAccount] = []
    """Service accounts of the cluster that may call, with their role and projects."""
    service_account_audience: str = "mediatask-api"
    """Audience that their tokens have to be for; not `mediatask`, which is that of Job pods."""
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
    metrics_host: str = "0.0.0.0"
    """Address of `/metrics`."""
    metrics_port: int = Field(default=9090, ge=0, le=65535)
    """Port of `/metrics`, in Prometheus' text format; not for callers."""
    max_connections: int = Field(default=4096, ge=1)
    """Connections of one listener; beyond them requests are answered with 503."""
    head_seconds: float = Field(default=15, gt=0)
    """Time for a connection to send the head of its first request, and of each next one once it has begun."""
    keep_alive_seconds: int = Field(default=75, ge=1)
    """How long a connection may stay idle between requests; longer than that of a load balancer in front."""
    requests_per_minute: int = Field(default=12_000, ge=0)
    """Requests that one caller (API key, token's subject) may send, also all at once; 0: any number. Counted across
    replicas where Redis is, else by each replica."""
    submits_per_minute: int = Field(default=6_000, ge=0)
    """Tasks that may be submitted to one project, by whomever; 0: any number; at least 100, the most of a batch."""
    cors_origins: list[Origin] = []
    """Web origins whose pages may call (`https://app.example.com`), or `*`; none by default."""
    max_held_requests: int = Field(default=512, ge=1)
    """Requests that wait for a task (`Prefer: wait`) at one time."""
    max_held_requests_per_key: int = Field(default=128, ge=1)
    """The same for one API key."""
    max_log_followers: int = Field(default=64, ge=1)
    """Logs that are followed at one time; each takes a connection to the API server and the kubelet."""
    max_log_followers_per_key: int = Field(default=16, ge=1)
    """The same for one API key."""
    log_follow_seconds: float = Field(default=3600, gt=0)
    """Longest time for which a log is followed; then the answer ends, and the caller may ask again."""
    upload_quota_bytes: int = Field(default=20 * 1024**3, ge=1)
    """Bytes that the uploads of one project may take, open grants included."""
    upload_quota_count: int = Field(default=1000, ge=1, le=100_000)
    """Uploads that one project may have."""
    upload_unused_seconds: int = Field(default=24 * 3600, ge=60)
    """How long an upload is kept that no task uses."""
    upload_used_days: int = Field(default=30, ge=1)
    """Days for which an upload is kept after the last submit of a task that uses it."""
    upload_sweep_seconds: float = Field(default=3600, gt=0)
    """Seconds between two looks for expired uploads."""
    max_event_streams: int = Field(default=1024, ge=1)
    """Event streams that are open at one time."""
    max_event_streams_per_key: int = Field(default=256, ge=1)
    """The same for one API key."""
    event_heartbeat_seconds: float = Field(default=15, gt=0)
    """Longest silence of an event stream; shorter than the idle time-outs of proxies and load balancers in between."""
    event_stream_seconds: float = Field(default=3600, gt=0)
    """Longest life of an event stream; then it ends, and the caller connects again, perhaps to another replica."""
    drain_seconds: float = Field(default=0, ge=0)
    """Seconds between SIGTERM and the last accepted request. Behind a load balancer: as long as it needs to notice."""
    environment: Environment = "development"
    """Which of the platform's environments this is; told by health and the list of services."""
    auto_movie_url: Url | None = Field(
        default=None, validation_alias=AliasChoices("MEDIATASK_AUTO_MOVIE_URL", "AUTO_MOVIE_APP_URL")
    )
    """Address of the Auto-Movie app, for the list of services."""
    brain_url: Url | None = Field(
        default=None, validation_alias=AliasChoices("MEDIATASK_BRAIN_URL", "MCP_BRAIN_SERVICE_URL")
    )
    """Address of the MCP Brain service, for the list of services."""
    payload_api_url: Url | None = Field(
        default=None, validation_alias=AliasChoices("MEDIATASK_PAYLOAD_API_URL", "PAYLOAD_API_URL")
    )
    """Base URL of PayloadCMS' REST API, the operator's setting; here for the list of services."""
    prometheus_url: Url | None = Field(
        default=None, validation_alias=AliasChoices("MEDIATASK_PROMETHEUS_URL", "PROMETHEUS_URL")
    )
    """Address of Prometheus, for the list of services."""
    grafana_url: Url | None = Field(default=None, validation_alias=AliasChoices("MEDIATASK_GRAFANA_URL", "GRAFANA_URL"))
    """Address of Grafana, for the list of services."""
    webhook_base_url: Url | None = Field(
        default=None, validation_alias=AliasChoices("MEDIATASK_WEBHOOK_BASE_URL", "WEBHOOK_BASE_URL")
    )
    """Tasks that are submitted without a `callback_url` are reported to `task-complete` below this address; a submit
    with `"callback_url": null` is not."""
    system_health_host: str = "0.0.0.0"
    """Address of the System Health API."""
    system_health_port: int | None = Field(default=None, ge=0, le=65535)
    """Port of the System Health API, 8100 in the platform; not served when absent. It needs no key."""
    public_url: str | None = Field(
        default=None, validation_alias=AliasChoices("MEDIATASK_PUBLIC_URL", "CELERY_TASK_SERVICE_URL")
    )
    """Address under which callers reach the API; prefix of `Location` headers and server of the OpenAPI document."""

    @field_validator("submits_per_minute")
    @classmethod
    def _enough_for_a_batch(cls, value: int) -> int:
        if 0 < value < 100:
            raise ValueError("0, or at least 100: a batch may have as many tasks, and would never be accepted")
        return value

    @field_validator("service_account_audience")
    @classmethod
    def _not_that_of_pods(cls, value: str) -> str:
        if value in ("", TOKEN_AUDIENCE):
            raise ValueError(f"it may not be empty, nor {TOKEN_AUDIENCE}: Job pods do not call")
        return value
