"""What tasks are charged: the time of their attempts at the prices of their start."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_common import money
from mediatask_common.pricing import cpu_millis, rate
from mediatask_crds.cost import Rate
from mediatask_crds.names import ANNOTATION_CHARGE
from mediatask_crds.task import Attempt, Cost, Resources
from mediatask_operator.deciding.charges import Holding, with_attempt
from support.taskworld import LAST_WORDS, World, a_class, run_pod

PRICES = {
    "currency": "EUR",
    "perHour": "0.10",
    "perGpuHour": "2.49",
    "perCpuHour": "0.035",
    "perTask": "0.02",
    "spotFactor": "0.3",
}
SPEC = {"gpu": {"count": 2}, "resources": {"requests": {"cpu": "1500m"}}, "cost": PRICES}
HOUR = (Decimal("0.10") + 2 * Decimal("2.49") + Decimal("1.5") * Decimal("0.035")) * Decimal("0.3")
CENT = Decimal("0.01")


def priced(**prices: str) -> World:
    return World(classes={"image": a_class(**SPEC, retry={"limit": 5}) if not prices else a_class(**given_(prices))})


def given_(prices: dict[str, str]) -> dict[str, Any]:
    return {**SPEC, "cost": {"currency": "EUR", **prices}}


def test_a_completed_task_costs_its_time_and_the_price_per_task() -> None:
    world = priced()
    pod = run_pod(world)
    world.advance(20)
    world.end(pod, 0, message=LAST_WORDS)
    writes = world.writes
    world.settle()
    assert world.writes == writes + 1
    amount = HOUR * 20 / 3600 + Decimal("0.02")
    expected = {"gpuSeconds": 40.0, "cpuSeconds": 30.0, "amount": str(round(amount, 6)), "currency": "EUR"}
    assert world.status["cost"] == expected
    world.settle()
    assert world.status["cost"] == expected


def test_a_class_without_prices_charges_nothing_and_counts_the_time() -> None:
    world = World(classes={"image": a_class(gpu={"count": 1})})
    pod = run_pod(world)
    world.advance(20)
    world.end(pod, 0, message=LAST_WORDS)
    world.settle()
    assert world.status["cost"] == {"gpuSeconds": 20.0}


def test_prompt_tests_are_not_charged() -> None:
    world = priced()
    world.spec(projectId="test_project")
    pod = run_pod(world)
    world.advance(20)
    world.end(pod, 0, message=LAST_WORDS)
    world.settle()
    assert world.status["cost"] == {"gpuSeconds": 40.0, "cpuSeconds": 30.0}


@pytest.mark.parametrize("write_lost", [False, True])
def test_prices_hold_from_the_attempts_start(write_lost: bool) -> None:
    """Also where the status that speaks of the attempt was not written before they changed."""
    world = priced(perGpuHour="1")
    world.reconcile(write_lost=write_lost)
    world.classes = {"image": a_class(**given_({"perGpuHour": "1000"}) | {"gpu": {"count": 4}})}
    pod = world.start()
    world.settle()
    world.advance(1800)
    world.published = False
    world.end(pod, 1)
    world.settle()
    (first,) = world.status["attempts"]
    assert (first["gpus"], first["rate"]) == (2, {"currency": "EUR", "perHour": "2", "perTask": "0"})
    assert world.status["cost"]["amount"] == "1"
    world.advance(60)
    world.settle()
    assert world.status["attempts"][1]["rate"]["perHour"] == "4000"


def test_what_somebody_wrote_over_the_jobs_annotation_is_not_believed_where_it_makes_no_sense() -> None:
    world = priced(perGpuHour="1")
    world.reconcile(write_lost=True)
    for text in ("", "{", '{"gpus": -1}', '{"rate": {"currency": "euro"}}', '{"gpus": 1e99}', "[]"):
        assert Holding.on({"metadata": {"annotations": {ANNOTATION_CHARGE: text}}}) is None
    world.jobs[0]["metadata"]["annotations"][ANNOTATION_CHARGE] = "nonsense"
    world.settle()
    assert world.status["attempts"][0]["rate"]["perHour"] == "2"


def test_failed_attempts_are_charged_and_disruptions_are_only_counted() -> None:
    world = priced(perGpuHour="1.8")
    world.published = False
    pod = run_pod(world)
    world.advance(10)
    world.end(pod, 75)
    world.settle()
    assert world.status["cost"]["amount"] == "0.01"
    world.advance(60)
    pod = run_pod(world)
    world.advance(100)
    world.end(pod, 143)
    world.settle()
    cost = world.status["cost"]
    assert (cost["gpuSeconds"], cost["amount"]) == (220.0, "0.01")
    assert world.status["attempts"][-1]["reason"] == "Preempted"


def test_an_attempt_in_another_currency_is_not_added_to_the_first() -> None:
    euros = Attempt(
        number=1, job_name="j", rate=Rate(currency="EUR", per_hour="3600"),
        started_at="2026-11-21T10:00:00Z", ended_at="2026-11-21T10:00:02Z",
    )  # fmt: skip
    yen = euros.model_copy(update={"rate": Rate(currency="JPY", per_hour="3600")})
    cost = with_attempt(with_attempt(None, euros), yen)
    assert cost == Cost(amount="2", currency="EUR")


def test_a_node_with_a_clock_of_its_own_never_makes_an_amount_that_cannot_be_stored() -> None:
    attempt = Attempt(
        number=1, job_name="j", rate=Rate(currency="EUR", per_hour="999999999"),
        started_at="2026-11-21T10:00:00Z", ended_at="9026-11-21T10:00:00Z",
    )  # fmt: skip
    cost = with_attempt(None, attempt)
    assert cost is not None
    assert cost.amount == "999999999.999999"
    back = attempt.model_copy(update={"ended_at": "2026-11-21T09:00:00Z"})
    assert with_attempt(cost, back) == cost


def test_the_costs_of_a_thousand_tasks_sum_to_the_class_prices(capsys: pytest.CaptureFixture[str]) -> None:
    chance, total, seconds, completed = random.Random(12), Decimal(0), Decimal(0), 0
    for _ in range(1000):
        world = priced()
        while True:
            pod = run_pod(world)
            ran = chance.randint(1, 900)
            world.advance(ran)
            seconds += ran
            fails = chance.random() < 0.3
            world.published = not fails
            world.end(pod, 75 if fails else 0, message="" if fails else LAST_WORDS)
            world.settle()
            if world.phase in ("completed", "failed"):
                break
            world.advance(400)
        completed += world.phase == "completed"
        total += Decimal(world.status["cost"]["amount"])
    expected = HOUR * seconds / 3600 + Decimal("0.02") * completed
    with capsys.disabled():
        print(
            f"\n1,000 tasks, {seconds} s: {total} EUR charged, {expected:.6f} by the prices; off {total - expected:.9f}"
        )
    assert round(total, 2) == round(expected, 2)
    assert abs(total - expected) < CENT / 2


# ---- prices and quantities


@pytest.mark.parametrize(
    ("resources", "millis"),
    [
        ({"requests": {"cpu": "1500m"}}, 1500),
        ({"requests": {"cpu": "2"}, "limits": {"cpu": "4"}}, 2000),
        ({"limits": {"cpu": "0.5"}}, 500),
        *(({"requests": {"cpu": odd}}, 0) for odd in ("", "m", "NaN", "-1", "cores", "1Ki", "Infinity")),
        ({"requests": {"cpu": "1e3"}}, 1_000_000),
        ({"requests": {"cpu": "1e999999"}}, 0),
        ({"requests": {"cpu": "9" * 30}}, 10_000_000),
        ({}, 0),
    ],
)
def test_cpus_are_read_as_kubernetes_has_them(resources: dict[str, Any], millis: int) -> None:
    assert cpu_millis(Resources.model_validate(resources)) == millis


def test_prices_add_up_by_what_an_attempt_holds() -> None:
    assert rate(a_class(**SPEC), 1500) == Rate(currency="EUR", per_hour="1.53975", per_task="0.02")
    assert rate(a_class(), 1500) is None


@given(st.integers(0, 10**15 - 1))
def test_amounts_survive_their_text(amount: int) -> None:
    assert money.micros(money.spelled(amount)) == amount


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**8), max_size=50))
def test_many_charges_are_off_by_half_a_millionth_each_at_most(hour: int, times: list[int]) -> None:
    charged = sum(money.charge(hour, time) for time in times)
    assert abs(charged - Decimal(hour) * sum(times) / 3_600_000) <= Decimal(len(times)) / 2
