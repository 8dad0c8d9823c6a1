"""CSV is exact, has one header and one line for each row, and runs nothing in a spreadsheet."""

from __future__ import annotations

import csv
import io
from contextlib import redirect_stdout
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli.output.csv_output import print_csv


def printed(headers: list[str], *rows: dict[str, Any]) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        print_csv(headers, rows)
    return out.getvalue()


def test_values_are_as_exact_as_in_json() -> None:
    row = {"id": "a", "cost": "0.123456789012", "count": 3668635, "blocked": False, "now": {"cost": "-1.5"}, "x": None}
    headers = ["id", "cost", "count", "blocked", "now.cost", "x", "missing"]
    assert printed(headers, row) == (
        "id,cost,count,blocked,now.cost,x,missing\r\na,0.123456789012,3668635,false,-1.5,,\r\n"
    )


def test_lists_and_objects_are_json_in_one_cell() -> None:
    assert printed(["a", "b"], {"a": ["x"], "b": {"y": 1}}) == 'a,b\r\n"[""x""]","{""y"": 1}"\r\n'


def test_an_empty_list_has_its_header() -> None:
    assert printed(["id", "name"]) == "id,name\r\n"


@pytest.mark.parametrize("text", ["=1+1", "+49170", "-x", "@ada", "\tx", "\rx", "-1.5e3", "-1;=2"])
def test_a_text_that_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str) -> None:
    assert next(csv.reader(io.StringIO(printed(["id"], {"id": text}), newline="").readlines()[1:])) == [f"'{text}"]


@pytest.mark.parametrize("number", ["-1.5", "-3", "0.000000000001", -7])
def test_a_negative_number_stays_a_number(number: object) -> None:
    assert printed(["cost"], {"cost": number}) == f"cost\r\n{number}\r\n"


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=5))
def test_any_other_text_is_read_back_as_it_was(texts: list[str]) -> None:
    rows = [{"id": text} for text in texts]
    read = [row[0] for row in csv.reader(io.StringIO(printed(["id"], *rows), newline=""))][1:]
    assert [text.removeprefix("'") for text in read] == [text.removeprefix("'") for text in texts]
