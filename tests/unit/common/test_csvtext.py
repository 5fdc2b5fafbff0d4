"""CSV that spreadsheets open without running anything."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatask_common.csvtext import csv_lines


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1"])
def test_formulas_become_text(text: str) -> None:
    ((cell,),) = csv.reader(io.StringIO(csv_lines([[text]]), newline=""))
    assert cell == f"'{text}"


def test_numbers_stay_numbers_and_nothing_is_empty() -> None:
    assert csv_lines([[-1.5, 3, None, "a,b"]]) == '-1.5,3,,"a,b"\r\n'


@given(st.lists(st.text(), min_size=2, max_size=4))
def test_every_row_stays_one_row(cells: list[str]) -> None:
    (row,) = csv.reader(io.StringIO(csv_lines([cells]), newline=""))
    assert [each.removeprefix("'") for each in row] == [each.replace("\0", "").removeprefix("'") for each in cells]
