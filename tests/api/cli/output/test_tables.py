"""Tables show each row on one line, without control characters."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli.output.tables import print_fields, print_table, shown


def printed(rows: list[dict[str, object]], *columns: str) -> list[list[str]]:
    out = io.StringIO()
    with redirect_stdout(out):
        print_table("Title", rows, columns)
    lines = [line for line in out.getvalue().splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (True, "yes"), (False, "no"), (0, "0"), ("0.50", "0.50"), ({"a": [1]}, '{"a": [1]}'), ("", "")],
)
def test_values_are_shown_as_text(value: object, text: str) -> None:
    assert shown(value) == text


@given(st.text(alphabet=st.characters(), max_size=50))
def test_no_text_breaks_a_line_or_controls_the_terminal(text: str) -> None:
    assert all(character.isprintable() or character.isspace() or ord(character) > 0x9F for character in shown(text))
    assert not set(shown(text)) & set("\n\r\x1b\x07\u202e\u2028")


def test_dotted_columns_are_members_of_objects() -> None:
    rows: list[dict[str, object]] = [{"a": {"b": 1}, "c": "[bold]x"}, {"a": None}]
    assert printed(rows, "a.b", "c") == [["1", "[bold]x"], ["-", "-"]]


def test_an_object_is_shown_with_its_nested_names() -> None:
    out = io.StringIO()
    with redirect_stdout(out):
        print_fields("Title", {"a": {"b": {"c": 1}}, "d": {}})
    assert ("a.b.c │ 1" in out.getvalue(), "d     │ -" in out.getvalue()) == (True, True)


def test_an_empty_table_says_none() -> None:
    out = io.StringIO()
    with redirect_stdout(out):
        print_table("Title", [], ("a",))
    assert "(none)" in out.getvalue()
