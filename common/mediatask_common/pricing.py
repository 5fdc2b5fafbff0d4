"""What an attempt holds and what an hour of it costs, by the prices of its class. Pure."""

from __future__ import annotations

from decimal import Decimal

from mediatask_crds.cost import Rate
from mediatask_crds.task import Resources
from mediatask_crds.taskclass import MediaTaskClassSpec

from .money import micros, rounded, spelled

MOST_CPU_MILLIS = 10_000 * 1000
"""More than a node has."""
FREE_ENDS = frozenset(("Preempted", "Evicted", "NodeLost", "NodeRefused"))
"""Reasons of attempts that are not charged: the project has not asked for the disruption."""
UNBILLED_PROJECT = "test_project"
"""The isolated project of prompt tests."""
_SUFFIXES = {"n": -9, "u": -6, "m": -3, "k": 3}


def rate(task_class: MediaTaskClassSpec, cpu_millis: int, project: str = "") -> Rate | None:
    """What an attempt in the class costs with so many thousandths of a CPU; None where nothing is charged."""
    prices = task_class.cost
    if prices is None or project == UNBILLED_PROJECT:
        return None
    gpus, cpus = task_class.gpu.count, Decimal(cpu_millis) / 1000
    hour = micros(prices.per_hour) + gpus * micros(prices.per_gpu_hour) + cpus * micros(prices.per_cpu_hour)
    return Rate(
        currency=prices.currency,
        per_hour=spelled(rounded(Decimal(hour) * Decimal(prices.spot_factor))),
        per_task=spelled(micros(prices.per_task)),
    )


def cpu_millis(resources: Resources) -> int:
    """CPUs that a container requests, in thousandths; its limit where it requests none, as Kubernetes has it."""
    quantity = resources.requests.get("cpu") or resources.limits.get("cpu") or "0"
    exponent = _SUFFIXES.get(quantity[-1], 0)
    try:
        cpus = Decimal(quantity[:-1] if exponent else quantity).scaleb(exponent)
        return min(max(rounded(cpus * 1000), 0), MOST_CPU_MILLIS)
    except (ArithmeticError, ValueError):
        return 0  # no Job is created with it either
