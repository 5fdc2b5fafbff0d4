"""Money: prices of a class, what an hour of an attempt costs, and amounts. Decimal text, never binary floats."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import Resource

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", max_length=3)]
"""An ISO 4217 code."""
Price = Annotated[str, Field(pattern=r"^[0-9]{1,6}([.][0-9]{1,6})?$", max_length=13)]
"""A price: up to 999999.999999."""
Amount = Annotated[str, Field(pattern=r"^[0-9]{1,9}([.][0-9]{1,6})?$", max_length=16)]
"""A sum of prices times hours: up to 999999999.999999."""
Factor = Annotated[str, Field(pattern=r"^(0([.][0-9]{1,4})?|1([.]0{1,4})?)$", max_length=6)]
"""0 to 1."""


class ClassCost(Resource):
    """Prices, as decimal text (`"2.50"`). They add up; a change counts for attempts that start after it."""

    currency: Currency
    """ISO 4217 code of all prices here, for example EUR."""
    per_hour: Price = "0"
    """One hour of a job's container, whatever it holds."""
    per_gpu_hour: Price = "0"
    """One hour of each GPU that a job holds."""
    per_cpu_hour: Price = "0"
    """One hour of each CPU that a job requests."""
    per_task: Price = "0"
    """Each completed task, once."""
    spot_factor: Factor = "1"
    """Share of the prices per hour that is charged, for classes whose nodes are spot machines."""


class Rate(Resource):
    """What an attempt costs, by its class's prices as of its start."""

    currency: Currency
    """ISO 4217 code."""
    per_hour: Amount = "0"
    """One hour of the attempt, with all that it holds."""
    per_task: Amount = "0"
    """Added when the attempt completes the task."""
