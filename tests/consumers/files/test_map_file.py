"""An invalid map is refused with the place and the rule of every fault."""

from __future__ import annotations

import pytest

from consumers.files.map_file import MAP_BYTES_MAX, MapInvalid, read_map


def problems(text: str) -> list[str]:
    with pytest.raises(MapInvalid) as raised:
        read_map(text)
    return raised.value.problems


def test_every_fault_is_named_with_its_place() -> None:
    assert problems(
        """
        source: 5
        subject: {spread: {customers: 0, by: rows}}
        time: {column: at, zone: Mars/Phobos, format: julian}
        data: {input_tokens: {column: a, as: roman}, day: 2020-01-01}
        foo: 1
        """
    ) == [
        "source: Input should be a valid string",
        "subject.spread.customers: Input should be greater than or equal to 1",
        "subject.spread.by: must be row_number or a list of columns",
        "time.format: must be iso, unix_seconds, unix_milliseconds, unix_microseconds "
        "or a pattern such as %d/%b/%Y:%H:%M:%S %z",
        "time.zone: must be an IANA time zone, such as Europe/Berlin",
        "data.input_tokens.as: Input should be 'text', 'number', 'boolean', 'list' or 'json'",
        "data.day: must be text, a number, true, false, a list or a mapping; put a date in quotes",
        "foo: Extra inputs are not permitted",
    ]


@pytest.mark.parametrize("text", ["", "- a", "just words"])
def test_a_document_that_is_no_mapping_is_refused(text: str) -> None:
    assert problems(text) == ["a map must be a YAML mapping with source, subject, time and data"]


def test_a_document_that_is_no_yaml_is_refused() -> None:
    assert problems("{source: ")[0].startswith("not YAML:")


def test_a_map_that_is_too_large_is_refused() -> None:
    assert problems("#" * (MAP_BYTES_MAX + 1)) == [f"a map must be at most {MAP_BYTES_MAX} bytes"]


def test_the_columns_of_a_map_are_listed_once_in_its_order() -> None:
    file_map = read_map(
        "{source: s, id: {column: a}, subject: {spread: {customers: 2, by: [b, a]}}, "
        "time: {column: c}, data: {x: {column: d}}}"
    )
    assert file_map.columns() == ["a", "b", "c", "d"]
