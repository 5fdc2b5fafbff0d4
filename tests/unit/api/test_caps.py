"""Caps on held requests: none takes the room of all, and what ends makes room again."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from mediatask_api.http.caps import Cap
from mediatask_api.http.errors import ApiError


def test_one_caller_does_not_take_all() -> None:
    cap = Cap("followers", total=3, per_caller=2)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(cap.hold("greedy"))
        with pytest.raises(ApiError) as refused, cap.hold("greedy"):
            pass
        assert refused.value.status == 429
        assert refused.value.headers["Retry-After"]
        held.enter_context(cap.hold("other"))
        with pytest.raises(ApiError, match="This replica"), cap.hold("third"):
            pass
    with cap.hold("greedy"), cap.hold("third"):
        pass


def test_a_request_that_fails_makes_room_again() -> None:
    cap = Cap("followers", total=1, per_caller=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), cap.hold("a"):
            raise ZeroDivisionError
    with cap.hold("a"):
        pass
