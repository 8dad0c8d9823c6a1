"""Time spans are read as .NET's TimeSpan.Parse reads them, traps included."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.values.time_spans import TICKS_MAX, NotATimeSpan, TimeSpan, parse_time_span

#: Text, what it means, and the text that is written for it.
READ: Final = [
    ("7", timedelta(days=7), "7.00:00:00"),
    ("30", timedelta(days=30), "30.00:00:00"),
    ("30.00:00", timedelta(days=30), "30.00:00:00"),
    ("30.00:00:00", timedelta(days=30), "30.00:00:00"),
    ("7.00:00:00", timedelta(days=7), "7.00:00:00"),
    ("007", timedelta(days=7), "7.00:00:00"),
    ("23:00:00", timedelta(hours=23), "23:00:00"),
    ("24:00:00", timedelta(days=24), "24.00:00:00"),
    ("24:23:59", timedelta(days=24, hours=23, minutes=59), "24.23:59:00"),
    ("30:12:30", timedelta(days=30, hours=12, minutes=30), "30.12:30:00"),
    ("7:00:00:00", timedelta(days=7), "7.00:00:00"),
    ("1:02:03:04.5", timedelta(days=1, hours=2, minutes=3, seconds=4.5), "1.02:03:04.5000000"),
    ("6:12", timedelta(hours=6, minutes=12), "06:12:00"),
    ("1:5", timedelta(hours=1, minutes=5), "01:05:00"),
    ("6:12:14", timedelta(hours=6, minutes=12, seconds=14), "06:12:14"),
    ("6:12:14.45", timedelta(hours=6, minutes=12, seconds=14.45), "06:12:14.4500000"),
    ("6.12:14:45", timedelta(days=6, hours=12, minutes=14, seconds=45), "6.12:14:45"),
    ("6.12:14:45.3448", timedelta(days=6, hours=12, minutes=14, seconds=45.3448), "6.12:14:45.3448000"),
    ("  1  ", timedelta(days=1), "1.00:00:00"),
    ("-1", timedelta(days=-1), "-1.00:00:00"),
    ("-0:00:01", timedelta(seconds=-1), "-00:00:01"),
    ("0", timedelta(), "00:00:00"),
    ("0:00", timedelta(), "00:00:00"),
    ("00:00:00.0000010", timedelta(microseconds=1), "00:00:00.0000010"),
    ("00:00:00.0000019", timedelta(microseconds=1), "00:00:00.0000019"),
    ("10675199", timedelta(days=10_675_199), "10675199.00:00:00"),
    ("10675199.02:48:05.4775807", timedelta(microseconds=TICKS_MAX // 10), "10675199.02:48:05.4775807"),
]
_NOT: Final = "it was not understood as a time span"
_HOURS: Final = "it was understood as 24 hours, of which there are at most 23"
REFUSED: Final = [
    ("7.00", "it was understood as 7 days and 00 hours without minutes"),
    ("7.12", "it was understood as 7 days and 12 hours without minutes"),
    ("24:00", _HOURS),
    ("1.24:00", _HOURS),
    ("24:00:00.5", _HOURS),
    ("24:00:60", _HOURS),
    ("23:60", "it was understood as 60 minutes, of which there are at most 59"),
    ("10:00:60", "it was understood as 60 seconds, of which there are at most 59"),
    ("10675200", "it was understood as 10675200 days, of which there are at most 10675199"),
    (
        "10675199.02:48:05.4775808",
        "it was understood as more than 10675199.02:48:05.4775807, the longest time span",
    ),
    ("1:00:00.12345678", "it was understood as a fraction of a second of more than 7 digits"),
    *((text, _NOT) for text in ("", " ", "P30D", "30d", "7 days", "+7", "- 7", "--7", "7.", ".5", ":30", "7:", "1::2")),
    *((text, _NOT) for text in ("1.2.3:4", "1:2.5", "1.2:3.5", "1e3", "\uff17", "1:2:3:4:5", "1.2:3:4:5", "1" * 101)),
]


@pytest.mark.parametrize(("text", "length", "written"), READ)
def test_a_time_span_is_read_and_written_as_by_net(text: str, length: timedelta, written: str) -> None:
    found = parse_time_span(text)
    assert found.length == length
    assert found.text() == written
    assert parse_time_span(written) == found


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_any_other_text_is_refused_with_what_was_understood(text: str, reason: str) -> None:
    with pytest.raises(NotATimeSpan) as refused:
        parse_time_span(text)
    assert str(refused.value) == reason


@given(st.integers(-TICKS_MAX, TICKS_MAX))
def test_what_is_written_is_read_again(ticks: int) -> None:
    assert parse_time_span(TimeSpan(ticks).text()) == TimeSpan(ticks)


@given(st.text(alphabet="0123456789.:- ", max_size=20))
def test_no_text_is_an_error_of_another_kind(text: str) -> None:
    try:
        found = parse_time_span(text)
    except NotATimeSpan:
        return
    assert abs(found.ticks) <= TICKS_MAX
