"""Files become events by a map: every row is passed on, with an id that survives a second reading."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.errors import FileUnreadable
from consumers.files.event_batches import batched, read_batches, read_lines
from consumers.files.map_file import FileMap, read_map
from consumers.files.row_mapping import Line

MAP = read_map(
    """
    source: gateway
    subject: {column: customer}
    time: {column: at}
    data:
      provider: openai
      model: {column: model, default: gpt-4o}
      input_tokens: {column: tokens}
      cost_usd: {column: cost}
      tags: {column: tags, separator: "|"}
    """
)
HEADER = "customer,at,model,tokens,cost,tags\n"


def lines(content: str | bytes, file_map: FileMap | None = MAP, suffix: str = ".csv") -> list[Line]:
    stream = io.BytesIO(content.encode() if isinstance(content, str) else content)
    return list(read_lines(stream, suffix, len(stream.getvalue()), file_map))


def events(content: str | bytes, file_map: FileMap | None = MAP, suffix: str = ".csv") -> list[Any]:
    return [json.loads(line.body, parse_float=Decimal) for line in lines(content, file_map, suffix)]


def test_a_csv_row_becomes_the_event_that_the_map_describes() -> None:
    (event,) = events(HEADER + "ada,2026-03-01 09:00:00.1234567,gpt-4,12,0.10,a|b\n")
    assert event == {
        "specversion": "1.0",
        "source": "gateway",
        "id": event["id"],
        "type": "llm.request",
        "subject": "ada",
        "time": "2026-03-01T09:00:00.123456Z",
        "data": {
            "provider": "openai",
            "model": "gpt-4",
            "input_tokens": 12,
            "cost_usd": Decimal("0.10"),
            "tags": ["a", "b"],
        },
    }


def test_empty_cells_are_left_out_or_take_their_default() -> None:
    (event,) = events(HEADER + "ada,,,,,\n")
    assert event["data"] == {"provider": "openai", "model": "gpt-4o"}
    assert "time" not in event


def test_numbers_keep_every_digit() -> None:
    (event,) = events(HEADER + "ada,,,7,0.123456789012345678901234567890,\n")
    assert event["data"]["cost_usd"] == Decimal("0.123456789012345678901234567890")


def test_invalid_numbers_and_times_are_passed_on_for_intake_to_reject() -> None:
    (event,) = events(HEADER + "ada,yesterday,,many,NaN,\n")
    assert (event["time"], event["data"]["input_tokens"], event["data"]["cost_usd"]) == ("yesterday", "many", "NaN")


@pytest.mark.parametrize("bad", [b"ada,,,1", b"ada,,,1,,,,", b"\xff\xfe,,,1,,"])
def test_a_malformed_row_is_passed_on_unchanged(bad: bytes) -> None:
    bodies = [line.body for line in lines(HEADER.encode() + bad + b"\nada,,,1,,\n")]
    assert bodies[0] == bad
    assert json.loads(bodies[1])["subject"] == "ada"


HOSTILE = {
    "an exponent beyond those of decimals": "1e99999999999999999999",
    "a small one": "-1e-99999999999999999999",
    "5,000 digits": "9" * 5_000,
    "nested deep": "[" * 900 + "]" * 900,
    "nested too deep": "[" * 5_000 + "]" * 5_000,
    "NaN": "NaN",
    "half a pair": r'"\ud83d"',
}
JSON_CELLS = read_map(
    """
    source: gateway
    subject: {column: customer}
    data:
      told: {column: told, as: json}
    csv: {delimiter: ";", quote: "'"}
    """
)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    ("suffix", "template"),
    [(".ndjson", '{"customer": "ada"}\n{"customer": "bob", "told": %s}\n{"customer": "eve"}\n'),
     (".csv", "customer;told\nada;\nbob;%s\neve;\n")],
)  # fmt: skip
def test_a_value_that_nothing_can_hold_spoils_only_its_own_row(name: str, suffix: str, template: str) -> None:
    before, bad, after = lines(template % HOSTILE[name], JSON_CELLS, suffix)
    assert [json.loads(line.body)["subject"] for line in (before, after)] == ["ada", "eve"]
    assert bad.body != b""


def test_equal_rows_are_different_events_and_a_second_reading_finds_the_same_ids() -> None:
    row = "ada,2026-03-01T09:00:00Z,,1,,\n"
    first, second, other = events(HEADER + row + row + "bob,,,1,,\n")
    assert first["id"].removesuffix("-1") == second["id"].removesuffix("-2")
    assert len({first["id"], second["id"], other["id"]}) == 3
    assert events(HEADER + row + row + "bob,,,1,,\n") == [first, second, other]


@given(
    st.lists(st.sampled_from(["a,,,1,,", "b,,,1,,", 'c,,"x\ny",1,,', "d,,,2,,"]), max_size=20),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(0, 20),
)
def test_a_file_that_has_grown_keeps_the_ids_of_what_it_had(rows: list[str], end: str, cut: int) -> None:
    before = HEADER + end.join(rows[:cut])
    after = HEADER + end.join(rows) + end
    assert events(after)[: len(rows[:cut])] == events(before)


def test_quoted_cells_may_hold_delimiters_quotes_and_line_ends() -> None:
    (event,) = events(HEADER + '"a,""b"",\nc",,,1,,\n')
    assert event["subject"] == 'a,"b",\nc'


def test_a_byte_order_mark_and_empty_lines_do_not_matter() -> None:
    assert events(b"\xef\xbb\xbf" + HEADER.encode() + b"\r\nada,,,1,,\r\n\r\n") == events(HEADER + "ada,,,1,,\n")


def test_a_file_without_a_header_is_named_by_the_map() -> None:
    file_map = read_map("{source: s, subject: {column: who}, csv: {delimiter: ;, columns: [who, n]}}")
    assert [event["subject"] for event in events("ada;1\nbob;2\n", file_map)] == ["ada", "bob"]


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(FileUnreadable, match="no column 'customer'"):
        lines("client,at,model,tokens,cost,tags\n")


def test_a_csv_file_without_a_map_is_refused() -> None:
    with pytest.raises(FileUnreadable, match="--map"):
        lines("a,b\n", None)


def test_rows_are_spread_over_customers_by_their_number() -> None:
    file_map = read_map("{source: s, subject: {spread: {customers: 3, by: row_number, prefix: c, digits: 1}}}")
    assert [event["subject"] for event in events("x\n" + "1\n" * 5, file_map)] == ["c0", "c1", "c2", "c0", "c1"]


def test_rows_are_spread_over_customers_by_columns() -> None:
    file_map = read_map("{source: s, subject: {spread: {customers: 1000, by: [ip, port]}}}")
    first, again, other = [event["subject"] for event in events("ip,port\n::1,80\n::1,80\n::2,80\n", file_map)]
    assert first == again != other


@pytest.mark.parametrize(
    ("rule", "cell", "instant"),
    [
        ("{column: at, zone: Europe/Berlin}", "2026-07-01 02:00:00", "2026-07-01T00:00:00.000000Z"),
        ("{column: at, zone: Europe/Berlin}", "2026-07-01T02:00:00+05:00", "2026-06-30T21:00:00.000000Z"),
        ("{column: at, format: unix_seconds}", "1772355600.1234569", "2026-03-01T09:00:00.123456Z"),
        ("{column: at, format: unix_milliseconds}", "1772355600123", "2026-03-01T09:00:00.123000Z"),
        ("{column: at, format: unix_seconds}", "1e999999999", "1e999999999"),
        ("{column: at, format: '%d/%b/%Y:%H:%M:%S %z'}", "01/Mar/2026:10:00:00 +0100", "2026-03-01T09:00:00.000000Z"),
        ("{column: at, format: '%Y%m%d%H%M%S.%f'}", "20260301090000.1234569", "2026-03-01T09:00:00.123456Z"),
        ("{column: at}", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_times_are_read_as_the_map_says_and_cut_to_the_microsecond(rule: str, cell: str, instant: str) -> None:
    (event,) = events(f"at\n{cell}\n", read_map(f"{{source: s, subject: x, time: {rule}}}"))
    assert event["time"] == instant


def test_nested_members_of_json_lines_have_dotted_names() -> None:
    file_map = read_map("{source: s, subject: {column: user.id}, data: {cost_usd: {column: usage.cost}}}")
    (event,) = events('{"user": {"id": 7}, "usage": {"cost": 0.1000000000000000000001}}\n', file_map, ".ndjson")
    assert (event["subject"], event["data"]["cost_usd"]) == ("7", Decimal("0.1000000000000000000001"))


def test_lines_that_are_events_already_are_left_alone() -> None:
    bodies = [line.body for line in lines('{"id": "1"}\n\n  not json \n', None, ".ndjson")]
    assert bodies == [b'{"id": "1"}', b"not json"]


def test_parquet_values_keep_their_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "customer": [b"ada", b"bob"],
            "at": pa.array([1772355600123456789, None], pa.timestamp("ns")),
            "model": ["gpt-4", None],
            "tokens": [12, None],
            "cost": pa.array([Decimal("0.100"), None], pa.decimal128(10, 3)),
            "tags": [["a"], None],
        }
    )
    path = tmp_path / "usage.parquet"
    pq.write_table(table, path)
    (batch,) = read_batches(path, MAP)
    first, second = [json.loads(line, parse_float=Decimal) for line in batch.body.splitlines()]
    assert (first["subject"], first["time"]) == ("ada", "2026-03-01T09:00:00.123456Z")
    assert first["data"] == {
        "provider": "openai",
        "model": "gpt-4",
        "input_tokens": 12,
        "cost_usd": Decimal("0.100"),
        "tags": ["a"],
    }
    assert second["data"] == {"provider": "openai", "model": "gpt-4o"}
    assert (batch.events, batch.end_bytes) == (2, path.stat().st_size)


def test_nan_and_infinity_in_parquet_are_not_taken_for_missing(tmp_path: Path) -> None:
    path = tmp_path / "usage.parquet"
    pq.write_table(pa.table({"cost": [float("nan")], "at": [datetime(2026, 3, 1, tzinfo=UTC)]}), path)
    file_map = read_map("{source: s, subject: x, time: {column: at}, data: {cost_usd: {column: cost}}}")
    (batch,) = read_batches(path, file_map)
    assert json.loads(batch.body)["data"] == {"cost_usd": "nan"}


def test_a_date_outside_the_calendar_in_parquet_spoils_only_its_own_row(tmp_path: Path) -> None:
    path = tmp_path / "usage.parquet"
    at = pa.array([2**62, 1772355600123456, 253402300799999999], pa.timestamp("us", "Asia/Tokyo"))
    pq.write_table(pa.table({"at": at, "day": pa.array([2**31 - 1, None, 0], pa.date32())}), path)
    file_map = read_map("{source: s, subject: x, time: {column: at}, data: {day: {column: day}}}")
    (batch,) = read_batches(path, file_map)
    events = [json.loads(line) for line in batch.body.splitlines()]
    assert [(event["time"], event["data"]) for event in events] == [
        ("4611686018427387904", {"day": "2147483647"}),
        ("2026-03-01T09:00:00.123456Z", {}),
        ("253402300799999999", {"day": "1970-01-01"}),
    ]


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "usage.parquet"
    path.write_bytes(b"customer,at\n")
    with pytest.raises(FileUnreadable, match="not a Parquet file"):
        list(read_batches(path, MAP))


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=30), st.integers(1, 100), st.integers(1, 7))
def test_batches_keep_to_both_bounds_and_lose_nothing(bodies: list[bytes], bytes_max: int, events_max: int) -> None:
    bodies = [body.replace(b"\n", b".") for body in bodies]
    batches = list(batched([Line(body, at) for at, body in enumerate(bodies)], bytes_max, events_max))
    assert [line for batch in batches for line in batch.body.split(b"\n")] == bodies
    assert all(batch.events <= events_max for batch in batches)
    assert all(batch.events == 1 or len(batch.body) <= bytes_max for batch in batches)
