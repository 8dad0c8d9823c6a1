"""The table of Kafka measurements, with rates as shares of the rate of the client alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Final

from bench.kafka.consuming import ConsumingResult
from bench.kafka.polling import CONFLUENT, KAFKA_PYTHON
from bench.kafka.running import KafkaResult

KAFKA_HEADINGS: Final = (
    "records",
    "reader",
    "records/s",
    "to kafka-python alone",
    "us/record, reader",
    "us/record, owner",
    "outcomes",
)
KAFKA_CAPTION: Final = (
    "One consumer process beside the engine, all records in the broker before; six partitions, one event per record. "
    "Alone: the client polls and discards, with its defaults; the mean of a reading before and one after the consumer. "
    "us/record: processor time of the process itself, without the broker."
)
_MEBIBYTE: Final = 1024 * 1024


def kafka_title(result: KafkaResult) -> str:
    """The title of the table."""
    bytes_per_record = 0.0
    if result.usage is not None:
        bytes_per_record = result.usage.published.value_bytes / result.usage.published.records
    return f"(f) from the broker to counted and committed, one consumer; {bytes_per_record:.0f} bytes a record"


def kafka_rows(result: KafkaResult) -> Iterator[Sequence[str]]:
    """A row for each reader and contents of the topic; a row with the reason if nothing was measured."""
    if result.left_out is not None:
        yield (result.left_out, *[""] * (len(KAFKA_HEADINGS) - 1))
    for name, measured in (("usage", result.usage), ("half commands", result.with_commands)):
        if measured is not None:
            yield from _rows(name, measured)


def _rows(name: str, measured: ConsumingResult) -> Iterator[Sequence[str]]:
    published = measured.published
    alone = _rate(measured, KAFKA_PYTHON)
    rate = published.records / measured.seconds
    yield (
        name,
        "meterfold",
        f"{rate:,.0f}",
        f"{rate / alone:.2f}",
        f"{measured.consumer_cpu_seconds / published.records * 1e6:.1f}",
        f"{measured.owner_cpu_seconds / published.records * 1e6:.1f}",
        _outcomes(measured),
    )
    for client in (KAFKA_PYTHON, CONFLUENT):
        polled = [one for one in measured.polled if one.client == client]
        if not polled:
            yield name, f"{client} alone", "not installed: pip install meterfold[bench]", "", "", "", ""
            continue
        found = _rate(measured, client)
        microseconds = fmean(one.cpu_seconds / one.records * 1e6 for one in polled)
        yield name, f"{client} alone", f"{found:,.0f}", f"{found / alone:.2f}", f"{microseconds:.1f}", "", ""


def _rate(measured: ConsumingResult, client: str) -> float:
    """The records per second over all readings of a client."""
    polled = [one for one in measured.polled if one.client == client]
    return sum(one.records for one in polled) / sum(one.seconds for one in polled)


def _outcomes(measured: ConsumingResult) -> str:
    published = measured.published
    expected = (published.usage - published.duplicates, published.duplicates, published.commands)
    found = (measured.counted, measured.duplicates, measured.honoured)
    if found == expected:
        return "as sent"
    return "WRONG: {:,} counted, {:,} duplicates, {:,} commands honoured".format(*found)


def kafka_memory(result: KafkaResult) -> Iterator[tuple[str, str]]:
    """Peak memory of both processes after each fifth of the events."""
    if result.usage is not None:
        for name, sizes in (("owner", result.usage.owner_bytes), ("consumer", result.usage.consumer_bytes)):
            yield f"{name}, Kafka, by fifths", " ".join(f"{size / _MEBIBYTE:,.0f}" for size in sizes)
