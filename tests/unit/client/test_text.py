"""Text from outside is harmless for a terminal and still tells what it was."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_client.cli.terminal.output import age
from mediatask_client.cli.terminal.text import one_line, safe, safe_json

ANY = st.text(st.characters() | st.sampled_from("\x00\x1b\x9b\x7f\u202e\u2066\u2028\r\n\t"))


@given(ANY)
def test_nothing_controls_the_terminal(text: str) -> None:
    assert not {unicodedata.category(character) for character in one_line(text)} & {"Cc", "Zl", "Zp", "Cs"}
    assert set(safe(text)) >= set(text) & set("\n\t")
    assert not set(safe(text)) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


@given(st.dictionaries(ANY, ANY))
def test_a_json_document_keeps_its_meaning(value: dict[str, str]) -> None:
    document = safe_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(document) == value
    assert safe(document) == document


def test_what_is_written_out() -> None:
    assert safe("a\x1b[31mb\x9b\u202ec\nd") == r"a\x1b[31mb\x9b\u202ec" + "\nd"
    assert one_line("a\nb\tc é 漢 🎬") == r"a\nb c é 漢 🎬"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (172_800, "2d"), (8e6, "92d")],
)
def test_ages(seconds: float, shown: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert age(now - timedelta(seconds=seconds), now) == shown
    assert age((now - timedelta(seconds=seconds)).replace(tzinfo=None), now) == shown
    assert age(None, now) == ""
