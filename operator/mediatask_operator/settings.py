"""Settings of the operator, read from `MEDIATASK_*` variables; each says meaning, unit and default."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mediatask_common.settings import CommonSettings

from .effects.payload.fields import Fields

_SLUG = r"^[A-Za-z0-9_-]{1,64}$"


def _none_if_empty(value: object) -> object:
    """An empty variable sets nothing."""
    return None if value == "" else value


def _as_header(key: SecretStr | None) -> SecretStr | None:
    """The key as it is. Raises ValueError for one that cannot stand in a header."""
    text = key.get_secret_value() if key else "x"
    if not text.isascii() or not text.isprintable() or text != text.strip():
        raise ValueError("an API key has to be printable ASCII in one line")
    return key


class PayloadSettings(BaseSettings):
    """The PayloadCMS that media is put into (`MEDIATASK_PAYLOAD_*`); none without both address and key."""

    model_config = SettingsConfigDict(
        env_prefix="MEDIATASK_PAYLOAD_", use_attribute_docstrings=True, hide_input_in_errors=True, populate_by_name=True
    )

    api_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        validation_alias=AliasChoices("MEDIATASK_PAYLOAD_API_URL", "PAYLOAD_API_URL"),
    )
    """Base URL of its REST API, for example https://cms.example.com/api."""
    api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("MEDIATASK_PAYLOAD_API_KEY", "PAYLOAD_API_KEY")
    )
    """API key of a user who may read and create media."""
    api_key_file: Path | None = None
    """File with this key, which takes precedence over it. Read again when changed."""
    auth_collection: str = Field(default="users", pattern=_SLUG)
    """Slug of the collection that this user is in."""
    collection: str = Field(default="media", pattern=_SLUG)
    """Slug of the upload collection; it needs a unique text field `task_id`."""
    fields: dict[str, str] = {"alt": "{task_type} {task_id}", "project_id": "{project_id}"}
    """Fields of a document by templates over the task's answer (JSON), for example
    `{"alt": "{task_data.prompt}", "film": "{project}"}`."""
    projects: str = Field(default="projects.slug", pattern=r"^[A-Za-z0-9_-]{1,64}\.[A-Za-z][A-Za-z0-9_]{0,63}$")
    """Where the template `{project}` finds the project's own document: collection and field with the project's id."""
    excluded_projects: list[str] = ["test_project"]
    """Projects whose media gets no document (JSON list)."""
    webhook_wait_seconds: float = Field(default=30, ge=0, le=3600)
    """How long the webhook of a completion waits for the document's id."""
    timeout_seconds: float = Field(default=300, gt=0)
    """Time for one upload."""
    workers: int = Field(default=4, ge=1)
    """Documents that are created at one time."""

    _unset = field_validator("api_url", "api_key", "api_key_file", mode="before")(_none_if_empty)

    @field_validator("api_key")
    @classmethod
    def _header(cls, key: SecretStr | None) -> SecretStr | None:
        return _as_header(key)

    @field_validator("fields")
    @classmethod
    def _templates(cls, templates: dict[str, str]) -> dict[str, str]:
        Fields(templates)
        return templates


class BrainSettings(BaseSettings):
    """The Brain that classes with a `brain` ask and tell (`MEDIATASK_BRAIN_*`); none without its address."""

    model_config = SettingsConfigDict(
        env_prefix="MEDIATASK_BRAIN_", use_attribute_docstrings=True, hide_input_in_errors=True, populate_by_name=True
    )

    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        validation_alias=AliasChoices("MEDIATASK_BRAIN_URL", "MCP_BRAIN_SERVICE_URL"),
    )
    """Address of the Brain, for example https://brain.example.com. The operator asks it, the API lists it."""
    token: SecretStr | None = None
    """Token that is sent to it as `Authorization: Bearer`."""
    protocol: Literal["mcp", "rest"] = "mcp"
    """`mcp`: streamable HTTP. `rest`: `GET /api/v1/knowledge/query` of a Brain without MCP, which stores no results."""
    mcp_path: str = Field(default="/mcp", pattern=r"^(/[^\s?#]*)?$")
    """Path of the MCP endpoint below the address."""
    excluded_projects: list[str] = ["test_project"]
    """Projects whose results are not stored (JSON list)."""
    timeout_seconds: float = Field(default=30, gt=0)
    """Time for storing one result; a class sets the time for its questions."""
    workers: int = Field(default=16, ge=1)
    """Tasks for which it is asked at one time, and half as many results that are stored."""

    _unset = field_validator("url", "token", mode="before")(_none_if_empty)

    @field_validator("token")
    @classmethod
    def _header(cls, token: SecretStr | None) -> SecretStr | None:
        return _as_header(token)


class ModerationSettings(BaseSettings):
    """The classifier that requests are shown to (`MEDIATASK_MODERATION_*`); none without an address."""

    model_config = SettingsConfigDict(
        env_prefix="MEDIATASK_MODERATION_", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    classifier_url: str | None = Field(default=None, pattern=r"^https?://[^\s/?#@]+(/[^\s#]*)?$")
    """Where requests are posted to before they run, for example http://classifier.moderation.svc/check."""
    classifier_api_key: SecretStr | None = None
    """A key that is sent to it as `X-API-Key`."""
    classifier_timeout_seconds: float = Field(default=10, gt=0, le=300)
    """Time for an answer."""
    classifier_allow_networks: list[str] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]
    """CIDRs that it may be in although they are not public (JSON list): those of a cluster, by default."""
    classifier_workers: int = Field(default=16, ge=1)
    """Requests that are checked at one time, a quarter of them of one project."""

    _unset = field_validator("classifier_url", "classifier_api_key", mode="before")(_none_if_empty)


class OperatorSettings(CommonSettings):
    """What the operator reads besides the settings it shares with the API."""

    namespaces: list[str] = []
    """Namespaces to serve (JSON list); all of the cluster when empty."""
    job_api_url: str = "http://mediatask-api:8002"
    """Base URL of the API's internal routes, as Job pods reach it."""
    job_service_account: str = "default"
    """Service account of Job pods; it needs no permissions, only its name in their tokens."""
    job_scratch_limit: str = "20Gi"
    """Most that a job pod may write into its work folder, and into /tmp: beyond it the kubelet evicts the pod."""
    job_model_cache_limit: str = "200Gi"
    """The same for models that a job pod downloads, where its class has no claim for them."""
    classes_file: Path | None = None
    """MediaTaskClasses that are applied at the start, as YAML documents; what others have changed stays as it is."""
    webhook_secrets_file: Path | None = None
    """Signing secrets, one `whsec_...` a line; all sign, so that a receiver may rotate. Read again when changed."""
    webhook_api_key_file: Path | None = None
    """A key that is sent as `X-API-Key` to the hosts of `webhook_api_key_hosts`. Read again when changed."""
    webhook_api_key_hosts: list[str] = []
    """Receivers that get the API key (JSON list): host names, `*.example.com` for all below; over https only."""
    webhook_timeout_seconds: float = Field(default=15, gt=0)
    """Time for a receiver to answer; Standard Webhooks recommends 15 to 30 s."""
    webhook_workers: int = Field(default=64, ge=1)
    """Webhooks in delivery at one time."""
    webhook_workers_per_host: int = Field(default=8, ge=1)
    """Webhooks in delivery to one host at one time, so that a slow receiver holds up nobody else's."""
    payload: PayloadSettings = Field(default_factory=PayloadSettings)
    """The PayloadCMS that media is put into."""
    brain: BrainSettings = Field(default_factory=BrainSettings)
    """The Brain that classes with a `brain` ask and tell."""
    moderation: ModerationSettings = Field(default_factory=ModerationSettings)
    """The classifier that requests are shown to."""
    result_workers: int = Field(default=32, ge=1)
    """Results that are checked in the artifact store at one time."""
    log_workers: int = Field(default=8, ge=1)
    """Logs of ended pods that are kept in the artifact store at one time."""
    health_host: str = "0.0.0.0"
    """Address that `/healthz` listens on."""
    health_port: int = Field(default=8080, ge=0, le=65535)
    """Port of `/healthz`."""
    metrics_host: str = "0.0.0.0"
    """Address that `/metrics` listens on."""
    metrics_port: int = Field(default=9090, ge=0, le=65535)
    """Port of `/metrics`, in Prometheus' text format."""
    workers: int = Field(default=24, ge=1)
    """Tasks that are reconciled at one time."""
    writes_per_second: float = Field(default=400, gt=0)
    """Writes to the API server on average; a burst of as many is allowed. Lower it on a shared control plane."""
    status_delay_seconds: float = Field(default=4, ge=0)
    """How long the news that a Job was created waits for the news that its pod runs, so that both are one write.
    Counted from the Job's creation time, which is in whole seconds: up to one second less."""
    resync_seconds: float = Field(default=600, gt=0)
    """Time between two comparisons of everything in the cluster with what the watches have told."""
