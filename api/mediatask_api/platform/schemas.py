"""What the calls about the service itself answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict

from ..http.openapi.schemas import Rest
from ..settings import Environment


class WorkerAnswer(Rest):
    """A live Job pod, or a GPU that waits for one."""

    worker_id: str
    worker_type: str
    """MediaTaskClass of the pod's task; `gpu` for a free slot."""
    status: Literal["busy", "starting", "idle"]
    current_task_id: str | None
    """Task it works on, where the key may see that."""
    gpu_utilization: float
    """0.0 to 1.0, as `gpu_utilization_source` says."""
    gpu_utilization_source: Literal["measured", "assigned"]
    """`measured`: by its job, the GPUs' mean; `assigned`: 1.0 when GPUs are assigned to it, else 0.0, because no
    measurement has come lately."""
    memory_usage: int | None
    """Bytes in use by the latest report of its job; null without one of the last 30 s, for a free slot, and where the
    key may not see the task."""
    memory_total: int | None
    """Bytes that there are: of the GPUs, or the memory limit of the pod; null where it has none."""
    memory_kind: Literal["gpu", "process"] | None
    """`gpu`: memory of the GPUs that the job works on, with what others use of a shared one; `process`: main memory of
    the job's process, which uses no GPU, or has not begun to."""
    tasks_completed: int
    """Pods of tasks of the caller's projects that ended well on its node and are still there."""
    last_heartbeat: str | None
    """Latest measurement of its job, else last sign of life of its node, else the start of its pod."""


class WorkersAnswer(Rest):
    """All workers."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "workers": [
                        {
                            "worker_id": "worker-0a4e4c6e",
                            "worker_type": "video",
                            "status": "busy",
                            "current_task_id": "5f0c2d0e-7a43-5c0b-9d2e-0c9a6f9f5b1e",
                            "gpu_utilization": 0.85,
                            "gpu_utilization_source": "measured",
                            "memory_usage": 12884901888,
                            "memory_total": 85899345920,
                            "memory_kind": "gpu",
                            "tasks_completed": 7,
                            "last_heartbeat": "2025-09-24T10:31:00Z",
                        }
                    ],
                    "total_workers": 1,
                    "active_workers": 1,
                    "gpu_utilization": 1.0,
                }
            ]
        }
    )

    workers: list[WorkerAnswer]
    total_workers: int
    active_workers: int
    gpu_utilization: float
    """Share of the nodes' GPUs that are assigned to tasks."""


class CheckAnswer(Rest):
    """One dependency."""

    status: Literal["ok", "failed", "disabled"]
    latency_ms: float | None = None
    message: str | None = None


HEALTHY_SAMPLE: dict[str, Any] = {
    "status": "healthy",
    "version": "0.1.0",
    "environment": "production",
    "checks": {
        "kubernetes": {"status": "ok", "latency_ms": 3.1, "message": None},
        "redis": {"status": "disabled", "latency_ms": None, "message": None},
        "store": {"status": "ok", "latency_ms": 1.4, "message": None},
    },
}
_AWAY = {"status": "failed", "latency_ms": None, "message": "no answer within 2 s"}
UNHEALTHY_SAMPLE = {
    **HEALTHY_SAMPLE,
    "status": "unhealthy",
    "checks": {**HEALTHY_SAMPLE["checks"], "kubernetes": _AWAY},
}


class HealthAnswer(Rest):
    """State of the service."""

    model_config = ConfigDict(json_schema_extra={"examples": [HEALTHY_SAMPLE]})

    status: Literal["healthy", "degraded", "unhealthy"]
    """`degraded`: everything works, but slower or with parts missing; `unhealthy`: Kubernetes is away."""
    version: str
    environment: Environment
    checks: dict[str, CheckAnswer]


class ServiceAnswer(Rest):
    """A service around this one."""

    name: str
    """`kubernetes`, `redis`, `store`, `payload`, `brain`, `auto_movie`, `prometheus` or `grafana`."""
    url: str | None
    """Its address as this service reaches it, without credentials; null where it has none."""
    state: Literal["up", "down", "unknown"]
    """`up`: it has answered the latest check; `unknown`: no check has ended in the last minute."""
    latency_ms: float | None
    """How long the check took; null unless it is up."""
    checked_at: str | None
    """When the check ended; each service is asked once in 10 s at most, and only where somebody asks for it."""
    message: str | None
    """The kind of failure; null unless it is down."""


class ServicesAnswer(Rest):
    """The services that the settings name; those that they do not name are absent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "environment": "production",
                    "version": "0.1.0",
                    "services": [
                        {
                            "name": "kubernetes",
                            "url": "https://10.96.0.1",
                            "state": "up",
                            "latency_ms": 3.1,
                            "checked_at": "2025-09-24T10:31:00Z",
                            "message": None,
                        },
                        {
                            "name": "brain",
                            "url": "https://brain.ft.tc",
                            "state": "down",
                            "latency_ms": None,
                            "checked_at": "2025-09-24T10:30:57Z",
                            "message": "no answer within 3 s",
                        },
                    ],
                }
            ]
        }
    )

    environment: Environment
    version: str
    services: list[ServiceAnswer]


class StatsAnswer(Rest):
    """Counts of tasks in the projects of the key."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "total": 13,
                    "by_status": {"queued": 1, "processing": 2, "completed": 9, "failed": 1, "cancelled": 0},
                    "by_type": {"generate_video": {"queued": 1, "processing": 2, "completed": 9, "failed": 1}},
                }
            ]
        }
    )

    total: int
    by_status: dict[str, int]
    by_type: dict[str, dict[str, int]]
    """Counts by status for each type."""
