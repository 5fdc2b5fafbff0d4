"""Settings of the operator, read from `MEDIATASK_*` variables; each says meaning, unit and default."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mediatask_common.settings import CommonSettings


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
