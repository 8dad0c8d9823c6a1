"""Tables are as wide as they may be: columns are left out, texts wrapped, and numbers never broken."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli.output.columns import Column, Kind
from api.cli.output.tables import print_fields, print_table
from api.cli.output.text import shown

COLUMNS = (
    Column("Model", "model"),
    Column("Provider", "provider", drop=2),
    Column("Requests", "requests", Kind.COUNT),
    Column("Input tokens", "tokens.input", Kind.COUNT, drop=3),
    Column("Output tokens", "tokens.output", Kind.COUNT, drop=4),
    Column("Cost (USD)", "cost_usd", Kind.MONEY, unknown="cost_unknown_events"),
    Column("Last used", "used_at", Kind.INSTANT, drop=1),
)
ROWS: list[dict[str, Any]] = [
    {
        "model": "claude-sonnet-4-0",
        "provider": "anthropic",
        "requests": 3668635,
        "tokens": {"input": 9238877123, "output": 1546261},
        "cost_usd": "1830.326727655",
        "cost_unknown_events": 0,
        "used_at": "2026-11-28T23:30:00.000000Z",
    },
    {
        "model": "of a neighbour",
        "provider": None,
        "requests": 3,
        "tokens": {"input": 12, "output": 0},
        "cost_usd": "12.5",
        "cost_unknown_events": 1,
        "used_at": None,
    },
]
TOTAL = {"requests": 3668638, "tokens": {"input": 9238877135, "output": 1546261}, "cost_usd": "1842.826727655"}
WIDE = """\
Usage of ada
                                                           Output
Model              Provider    Requests   Input tokens     tokens                  Cost (USD)  Last used
───────────────────────────────────────────────────────────────────────────────────────────────────────────────
claude-sonnet-4-0  anthropic  3,668,635  9,238,877,123  1,546,261  1,830.326728                2026-11-29 00:30
of a neighbour     -                  3             12          0     12.50     + unknown (1)  -
───────────────────────────────────────────────────────────────────────────────────────────────────────────────
Total                         3,668,638  9,238,877,135  1,546,261  1,842.826728
Times in Europe/Berlin.
"""
NARROW = """\
Usage of ada
Model               Requests                  Cost (USD)  Last used
──────────────────────────────────────────────────────────────────────────
claude-sonnet-4-0  3,668,635  1,830.326728                2026-11-29 00:30
of a neighbour             3     12.50     + unknown (1)  -
──────────────────────────────────────────────────────────────────────────
Total              3,668,638  1,842.826728
Times in Europe/Berlin.
Left out for width: Provider, Input tokens, Output tokens; --json has them.
"""
LONG = """\
Long
Id                       Count
──────────────────────────────
xxxxxxxxxxxxxxxxxxx  1,234,567
xxxxxxyyyyyyyyyy
"""
PROSE = """\
Rejected
Id  Detail
────────────────────────────────────────
1   subject: is required: it names the
    customer
"""
FIELDS = """\
Customer ada
Id                                         ada
Created                                    2026-11-29 00:30
Budget id                                  -
Budget period limit (USD)                  1,250.50
Budget model limits gpt-4.1_x limit (USD)  5.00
Metadata                                   -
Scopes                                     read, ingest
Behind                                     1 min 15 s
Log (bytes)                                3,872,616
Position                                   1234
Blocked                                    no
Times in Europe/Berlin.
"""


def printed(width: int, monkeypatch: pytest.MonkeyPatch, *arguments: Any, **named: Any) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    with redirect_stdout(out):
        print_table(*arguments, **named)
    return out.getvalue()


def table(width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    return printed(width, monkeypatch, "Usage of ada", COLUMNS, ROWS, total=TOTAL, zone="Europe/Berlin")


def test_a_wide_table_has_every_column(monkeypatch: pytest.MonkeyPatch) -> None:
    assert table(120, monkeypatch) == WIDE


def test_a_narrow_table_leaves_out_columns_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    assert table(80, monkeypatch) == NARROW


def test_numbers_are_whole_where_nothing_else_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    out = table(20, monkeypatch)
    assert [number in out for number in ("3,668,635", "1,830.326728", "12.50     + unknown (1)")] == [True] * 3


def test_a_long_text_is_broken_over_lines_and_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = (Column("Id", "id"), Column("Count", "count", Kind.COUNT))
    assert printed(30, monkeypatch, "Long", columns, [{"id": "x" * 25 + "y" * 10, "count": 1234567}]) == LONG


def test_prose_is_wrapped_at_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = (Column("Id", "id"), Column("Detail", "detail", Kind.PROSE))
    rows = [{"id": "1", "detail": "subject: is required: it names the customer"}]
    assert printed(40, monkeypatch, "Rejected", columns, rows) == PROSE


def test_an_empty_table_says_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(80, monkeypatch, "Keys", (Column("Id", "id"),), []) == "Keys\nId\n──\n(none)\n"


def test_an_object_is_shown_with_titles_instead_of_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    document = {
        "id": "ada",
        "created_at": "2026-11-28T23:30:00.000000Z",
        "budget": {"budget_id": None, "period_limit_usd": "1250.5", "model_limits": {"gpt-4.1_x": {"limit_usd": "5"}}},
        "metadata": {},
        "scopes": ["read", "ingest"],
        "behind_seconds": 75.0,
        "log_bytes": 3872616,
        "position": 1234,
        "blocked": False,
    }
    out = io.StringIO()
    with redirect_stdout(out):
        print_fields("Customer ada", document, zone="Europe/Berlin")
    assert out.getvalue() == FIELDS


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


def test_names_that_users_chose_do_not_control_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    with redirect_stdout(out):
        print_fields("\x1b[31m", {"metadata": {"\x1b[31mkey": "\x1b[0m", "[bold]": "[/bold]"}})
    assert ("\x1b" in out.getvalue(), "[bold]" in out.getvalue()) == (False, True)


def test_what_users_named_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    metadata = {"account_number": 1234567, "start": "20240101", "usd": "Infinity", "limits": {"cap_usd": "sNaN"}}
    out = io.StringIO()
    with redirect_stdout(out):
        print_fields("Customer", {"metadata": metadata}, zone="America/New_York")
    assert [line.split()[-1] for line in out.getvalue().splitlines()[1:]] == ["1234567", "20240101", "Infinity", "sNaN"]


@given(
    st.lists(st.tuples(st.text(max_size=40), st.integers(0, 10**12)), max_size=4),
    st.integers(20, 140),
)
def test_a_table_keeps_to_its_width_and_shows_every_number_whole(rows: Sequence[tuple[str, int]], width: int) -> None:
    columns = (Column("Name", "name"), Column("Count", "count", Kind.COUNT), Column("Again", "count", Kind.COUNT, 1))
    with pytest.MonkeyPatch.context() as monkeypatch:
        out = printed(width, monkeypatch, "T", columns, [{"name": name, "count": count} for name, count in rows])
    assert all(f"{count:,}" in out for _, count in rows)
    if width >= 30:
        assert max(len(line) for line in out.splitlines() if line.isascii()) <= width
