"""Token buckets: what a minute holds, and when it is back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_api.limits.bucket import WINDOW_SECONDS, Rate, judge
from mediatask_api.limits.buckets import LocalBuckets

quotas = st.integers(1, 100_000)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(quotas)
def test_a_full_bucket_gives_its_quota_at_once_and_no_more(quota: int) -> None:
    rate = Rate("caller", quota)
    all_of_it = judge(rate, 0.0, quota)
    assert (all_of_it.allowed, all_of_it.remaining) == (True, 0)
    one_more = judge(rate, all_of_it.reset_seconds, 1)
    assert (one_more.allowed, one_more.remaining) == (False, 0)
    assert one_more.retry_after_seconds == pytest.approx(rate.interval, rel=1e-3)
    assert judge(rate, all_of_it.reset_seconds - one_more.retry_after_seconds, 1).allowed


@given(quotas, st.lists(st.tuples(st.floats(0, 30), st.integers(1, 50)), max_size=60))
def test_no_span_of_time_sees_more_than_the_quota_and_what_came_back(
    quota: int, requests: list[tuple[float, int]]
) -> None:
    clock, rate = Clock(), Rate("caller", quota)
    buckets, start, taken = LocalBuckets(clock=clock), clock.now, 0
    for pause, cost in requests:
        clock.now += pause
        verdict = buckets.take(rate, "k", cost)
        taken += cost if verdict.allowed else 0
        assert taken <= quota + (clock.now - start) / rate.interval + 1e-3
        assert 0 <= verdict.remaining <= quota
        if not verdict.allowed and cost <= quota:
            clock.now += verdict.retry_after_seconds
            assert buckets.take(rate, "k", cost).allowed
            taken += cost


def test_callers_and_limits_have_buckets_of_their_own() -> None:
    buckets, rate = LocalBuckets(clock=Clock()), Rate("caller", 1)
    assert [buckets.take(rate, who, 1).allowed for who in ("a", "b", "a")] == [True, True, False]
    assert buckets.take(Rate("project", 1), "a", 1).allowed


def test_the_least_used_bucket_makes_room() -> None:
    buckets, rate = LocalBuckets(size=2, clock=Clock()), Rate("caller", 2)
    for who in ("a", "b", "a", "c"):
        buckets.take(rate, who, 1)
    assert not buckets.take(rate, "a", 1).allowed
    assert buckets.take(rate, "b", 1).remaining == 1


def test_a_bucket_that_is_further_off_than_it_can_be_counts_as_empty() -> None:
    verdict = judge(Rate("caller", 60), 1e12, 1)
    assert (verdict.allowed, verdict.retry_after_seconds) == (False, pytest.approx(1))
    assert judge(Rate("caller", 60), -1e12, 60).allowed
    assert verdict.reset_seconds == WINDOW_SECONDS
