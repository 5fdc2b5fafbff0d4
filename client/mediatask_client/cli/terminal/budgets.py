"""Budgets and estimates on standard output."""

from __future__ import annotations

import typer

from ...models import Budgets, Estimation
from ..options import Format
from .output import write_document, write_names
from .text import one_line


def write_budgets(form: Format, found: Budgets) -> None:
    """How the budgets of a project stand; one line each for people."""
    if form == Format.NAME:
        write_names(budget.period for budget in found.budgets)
    elif form != Format.TABLE:
        write_document(form, found.raw())
    else:
        typer.echo(f"{'PERIOD':<6}  {'LIMIT':>16}  {'SPENT':>12}  {'RESERVED':>12}  {'LEFT':>12}  {'STATE':<8}  RENEWS")
        for budget in found.budgets:
            limit = f"{budget.limit:,.2f} {one_line(budget.currency)}"
            typer.echo(
                f"{one_line(budget.period):<6}  {limit:>16}  {budget.spent:>12,.2f}  {budget.reserved:>12,.2f}  "
                f"{budget.left:>12,.2f}  {one_line(budget.state):<8}  {budget.renews_at:%Y-%m-%d %H:%M %Z}"
            )


def write_estimation(form: Format, found: Estimation) -> None:
    """What would follow a submit; for people in one line."""
    if form not in (Format.TABLE, Format.NAME):
        write_document(form, found.raw())
        return
    cost = "no price"
    if found.cost is not None and found.cost.amount is not None:
        cost = f"{found.cost.amount:,.6f} {one_line(found.cost.currency or '')}"
    typer.echo(f"{cost}, {found.estimated_duration:,.0f} s, place {found.queue_position} in the queue")
