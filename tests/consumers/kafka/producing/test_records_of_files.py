"""Events of a file become records, alone or gathered by partition: none is lost, and each customer's stay in order."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner import DefaultPartitioner

from consumers.files.row_mapping import Line
from consumers.kafka.producing.file_producer import (
    BATCHED,
    RECORD_BYTES_MAX,
    Record,
    batched_records,
    customer_of,
    keyed_records,
)


def lines(*bodies: bytes) -> list[Line]:
    return [Line(body, number) for number, body in enumerate(bodies, 1)]


@pytest.mark.parametrize(
    ("event", "customer"),
    [
        (b'{"subject": "ada", "data": {"customerId": "bob"}}', "ada"),
        (b'{"data": {"customerId": "bob", "user": "eve"}}', "bob"),
        (b'{"data": {"user": "eve"}}', "eve"),
        (b'{"subject": null, "data": {"user": "eve"}}', "eve"),
        (b'{"subject": 7, "data": {"user": "eve"}}', None),
        (b'{"id": "1"}', None),
        (b'{"data": [1]}', None),
        (b'{"subject": "ada"', None),
        (b'{"subject": "ada", "x": "\xff"}', None),
        (b'[{"subject": "ada"}]', None),
        (b"\xff\x00", None),
    ],
)
def test_the_key_is_the_customer_by_the_rules_of_intake(event: bytes, customer: str | None) -> None:
    assert customer_of(event) == customer


class Cluster:
    """The part of a cluster that the client's own partitioner needs."""

    def __init__(self, partitions: int) -> None:
        self._partitions = set(range(partitions))

    def topics(self) -> set[str]:
        return {"usage"}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return self._partitions

    def available_partitions_for_topic(self, topic: str) -> set[int]:
        return self._partitions


@given(st.text(min_size=1), st.integers(1, 50))
def test_a_customer_has_the_partition_that_every_client_gives_it(customer: str, partitions: int) -> None:
    event = json.dumps({"subject": customer}).encode()
    (record,) = keyed_records(lines(event), partitions)
    key = customer.encode()
    assert (record.key, record.value) == (key, event)
    assert record.partition == DefaultPartitioner().partition("usage", None, key, None, None, Cluster(partitions))


EVENTS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 20)), max_size=200)


@given(EVENTS, st.integers(2, 20), st.integers(1, 6))
def test_gathering_loses_nothing_and_keeps_the_order_of_each_customer(
    sent: list[tuple[str, int]], events_max: int, partitions: int
) -> None:
    bodies = [
        json.dumps({"subject": customer, "id": number, "x": "y" * length}).encode()
        for number, (customer, length) in enumerate(sent)
    ]
    records = list(batched_records(keyed_records(lines(*bodies), partitions), events_max))
    by_partition: dict[int | None, list[bytes]] = defaultdict(list)
    for record in records:
        members = json.loads(record.value)
        assert (record.content_type, record.key, record.events) == (BATCHED, None, len(members))
        assert len(members) <= events_max
        by_partition[record.partition] += [json.dumps(member).encode() for member in members]
    expected: dict[int | None, list[bytes]] = defaultdict(list)
    for single in keyed_records(lines(*bodies), partitions):
        expected[single.partition].append(single.value)
    assert by_partition == expected


def test_a_gathered_record_stays_small_unless_one_event_is_large() -> None:
    large = json.dumps({"subject": "ada", "x": "y" * (RECORD_BYTES_MAX + 1)}).encode()
    small = json.dumps({"subject": "ada", "x": "y" * (RECORD_BYTES_MAX // 3)}).encode()
    records = list(batched_records(keyed_records(lines(small, small, small, large, small), 1), 100))
    assert [record.events for record in records] == [2, 1, 1, 1]


def test_what_is_no_event_goes_alone() -> None:
    event, garbage = b'{"subject": "ada"}', b'{"subject": "ada"'
    records = list(batched_records(keyed_records(lines(event, garbage, event), 1), 100))
    assert [(record.value, record.key, record.partition) for record in records] == [
        (garbage, None, None),
        (b"[%b,%b]" % (event, event), None, 0),
    ]
    assert isinstance(records[0], Record)
