"""What counts as a body: JSON of which no reader further on loses anything."""

from __future__ import annotations

import json

import pytest

from mediatask_api.http.body import strict_json
from mediatask_api.http.errors import ApiError


def test_what_json_can_say_exactly_is_kept() -> None:
    value = {"a": [1, -(2**63), 2**63 - 1, 0.5, None, True, "ü", {"b": {}}]}
    assert strict_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[]", "object"),
        (b'"text"', "object"),
        (b'{"a": NaN}', "not valid JSON"),
        (b'{"a": Infinity}', "not valid JSON"),
        (b'{"a": 1e999}', "not valid JSON"),
        (b'{"a": 9223372036854775808}', "64 bits"),
        (b'{"a": 18446744073709551615}', "64 bits"),
        (b'{"a": 1000000000000000000000000000000}', "64 bits"),
        (b'{"a": [{"b": -9223372036854775809}]}', "64 bits"),
        (b'{"a": "x\\u0000"}', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a": 1, "b": 2, "a": 3}', "twice"),
        (b'{"outer": [{"a": 1, "a": 1}]}', "twice"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "nested"),
        (b"[" * 100_000, "not valid JSON"),
        ('{"a": "\u00fc"}'.encode("latin-1"), "not valid JSON"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_everything_else_is_refused_with_the_reason(content: bytes, why: str) -> None:
    with pytest.raises(ApiError) as refused:
        strict_json(content)
    assert refused.value.status == 400
    assert why in refused.value.detail
