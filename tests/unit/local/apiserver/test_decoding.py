"""Request bodies: JSON and YAML become plain values that can be stored, or a 400."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_local.apiserver.errors import ApiError
from mediatask_local.apiserver.http.decoding import parse

JSON = "application/json"
YAML = "application/yaml"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("3.0", JSON, "3"),
        ("1e3", JSON, "1000"),
        ("0.5", JSON, "0.5"),
        ("123456789012345678901234567890", JSON, "1.2345678901234568e+29"),
        ("123456789012345678901234567890", YAML, "1.2345678901234568e+29"),
        ("when: 2026-01-01T00:00:00Z", YAML, '{"when":"2026-01-01T00:00:00Z"}'),
        ("day: 2026-01-01", YAML, '{"day":"2026-01-01"}'),
        ("{2: a, true: b}", YAML, '{"2":"a","true":"b"}'),
        ("[on, 0x10, null]", YAML, "[true,16,null]"),
    ],
)
def test_values_as_kubernetes_reads_them(text: str, kind: str, value: str) -> None:
    assert orjson.dumps(parse(text.encode(), kind)).decode() == value


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", JSON),
        (b"{not", JSON),
        (b"[" * 3000 + b"]" * 3000, JSON),
        (b"[" * 300 + b"]" * 300, JSON),
        (b"a: [", YAML),
        (b"[" * 3000 + b"]" * 3000, YAML),
        (b"a: !!binary aGk=", YAML),
        (b"a: !!python/object/apply:os.system [id]", YAML),
        (b"\xff\xfe\xfa", YAML),
    ],
)
def test_what_cannot_be_read_is_400(content: bytes, kind: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse(content, kind)
    assert caught.value.code == 400


@given(st.binary(max_size=60), st.sampled_from([JSON, YAML]))
def test_any_bytes_are_read_or_refused(content: bytes, kind: str) -> None:
    value: Any = None
    with contextlib.suppress(ApiError):
        value = parse(content, kind)
    orjson.dumps(value)
