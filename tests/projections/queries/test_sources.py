"""Any read store returns the progress of each Kafka partition, with its lost and refused records."""

from __future__ import annotations

import pytest

from consumers.kafka.appending.appender import PartitionSource
from domain.errors import InvalidInput
from domain.scope import DEFAULT_SCOPE
from projections.queries.log import SourceRecord
from tests.consumers.kafka.appending.partition_polls import (
    OTHER_PARTITION,
    RECORDED_AT,
    SOURCE,
    appender_on,
    command,
    event,
    poll,
)
from tests.projections.queries.store_under_test import DuckDBUnderTest


def test_a_partition_has_its_lost_and_refused_records(store_under_test: DuckDBUnderTest) -> None:
    store = store_under_test
    appender = appender_on(store.log, store.keys)
    appender.append(poll([event("a"), command("customer.nap"), command("customer.block")]))
    appender.append(
        poll([event("b"), command("budget.delete", command_id="2")], first_offset=3, source=OTHER_PARTITION)
    )
    store.fold()
    appender.append(poll([event("c"), command("customer.nap")], first_offset=3))
    appender.records_lost(SOURCE, 5, 90)
    store.fold()
    last = appender.append(poll([event("d"), event("d"), b"oops"], first_offset=90))
    store.fold()

    with store.reads.snapshot() as snapshot:
        first, second = snapshot.sources(None, 10)
        assert snapshot.sources(first.stream, 10) == [second]
        assert snapshot.sources(None, 1) == [first]
        with pytest.raises(InvalidInput):
            snapshot.sources(None, 0)
        [counts, _] = snapshot.source_counts(DEFAULT_SCOPE)
    assert first == SourceRecord(SOURCE.stream, "meterfold.usage", 0, 93, 85, 2, last.position, RECORDED_AT)
    assert (second.stream, second.next_offset, second.commands_refused) == (OTHER_PARTITION.stream, 5, 1)
    assert (counts.stream, counts.counts.counted, counts.counts.duplicate, counts.counts.rejected) == (
        SOURCE.stream, 3, 1, 1,
    )  # fmt: skip


def test_an_accepted_offset_is_where_the_partition_goes_on(store_under_test: DuckDBUnderTest) -> None:
    store = store_under_test
    appender = appender_on(store.log, store.keys)
    appender.append(poll([event("a"), event("b")]))
    appender.accept_offset(SOURCE, 1, "truncated")
    store.fold()
    with store.reads.snapshot() as snapshot:
        [source] = snapshot.sources(None, 10)
    assert (source.next_offset, source.records_lost) == (1, 0)


def test_a_partition_that_its_broker_lacks_stays_where_it_was_read_to(store_under_test: DuckDBUnderTest) -> None:
    store = store_under_test
    appender = appender_on(store.log, store.keys)
    appender.append(poll([event("a"), event("b")]))
    last = appender.truncated(SOURCE, 1)
    store.fold()
    with store.reads.snapshot() as snapshot:
        [source] = snapshot.sources(None, 10)
    assert (source.next_offset, source.records_lost, source.position) == (2, 0, last)


def test_a_topic_that_was_made_again_is_another_source(store_under_test: DuckDBUnderTest) -> None:
    store = store_under_test
    appender = appender_on(store.log, store.keys)
    appender.append(poll([event("a")]))
    again = PartitionSource(SOURCE.cluster_id, "topic/2", SOURCE.topic, SOURCE.partition)
    assert appender.read_checkpoint(again).next_offset is None
    appender.append(poll([event("b")], source=again))
    store.fold()
    with store.reads.snapshot() as snapshot:
        streams = [source.stream for source in snapshot.sources(None, 10)]
    assert streams == ["usage/kafka/cluster-1/topic%2F2/0", SOURCE.stream]
