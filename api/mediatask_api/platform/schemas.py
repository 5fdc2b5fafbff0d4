"""What the calls about the service itself answer."""

from __future__ import annotations

from typing import Literal

from ..http.schemas import Rest


class WorkerAnswer(Rest):
    """A live Job pod, or a GPU that waits for one."""

    worker_id: str
    worker_type: str
    """MediaTaskClass of the pod's task; `gpu` for a free slot."""
    status: Literal["busy", "starting", "idle"]
    current_task_id: str | None
    """Task it works on, where the key may see that."""
    gpu_utilization: float
    """1.0 when GPUs are assigned to it, else 0.0: assignment, not a measurement of the device."""
    memory_usage: int | None
    """Bytes; null, because no measurement reaches this service."""
    tasks_completed: int
    """Pods of tasks of the caller's projects that ended well on its node and are still there."""
    last_heartbeat: str | None
    """Last sign of life of its node, else the start of its pod."""


class WorkersAnswer(Rest):
    """All workers."""

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


class HealthAnswer(Rest):
    """State of the service."""

    status: Literal["healthy", "degraded", "unhealthy"]
    """`degraded`: everything works, but slower or with parts missing; `unhealthy`: Kubernetes is away."""
    version: str
    checks: dict[str, CheckAnswer]


class StatsAnswer(Rest):
    """Counts of tasks in the projects of the key."""

    total: int
    by_status: dict[str, int]
    by_type: dict[str, dict[str, int]]
    """Counts by status for each type."""
