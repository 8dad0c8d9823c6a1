"""The names inside kafka-python that this package uses and the library does not document, and whether they are there.

They are used as a whole or not at all: where one is missing, in another release of the library, consumers read by the
public poll. A name is MODULE:NAME, with the names of its parameters where it is replaced or called by position.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

_CONSUMER: Final = "kafka.consumer.group:KafkaConsumer."
_FETCHER: Final = "kafka.consumer.fetcher:Fetcher."
_FETCHED: Final = "kafka.consumer.fetcher:Fetcher.PartitionRecords."
_SUBSCRIPTIONS: Final = "kafka.consumer.subscription_state:SubscriptionState."
_COORDINATOR: Final = "kafka.coordinator.consumer:ConsumerCoordinator."
_CLUSTER: Final = "kafka.cluster:ClusterMetadata."
_MANAGER: Final = "kafka.net.manager:KafkaConnectionManager."
_BATCH: Final = "kafka.record.default_records:DefaultRecordBatch."
_PROTOCOL: Final = "kafka.protocol.consumer:"

NEEDED: Final = (
    # The parts of a consumer.
    *(_CONSUMER + name for name in ("_cluster", "_coordinator", "_fetcher", "_manager", "_subscription")),
    # Fetched data of a partition, whose reader is replaced.
    _FETCHER + "PartitionRecords",
    _FETCHED + "__init__(self, fetch_offset, tp, records, key_deserializer, value_deserializer, check_crcs, "
    "isolation_level, aborted_transactions, metric_aggregator, on_drain)",
    _FETCHED + "take(self, n)",
    _FETCHED + "drain(self)",
    _FETCHED + "_maybe_skip_record(self, record)",
    _FETCHED + "_unpack_records(self, tp, records, key_deserializer, value_deserializer)",
    _FETCHED + "_consume_aborted_transactions_up_to(self, offset)",
    _FETCHED + "_contains_abort_marker(self, batch)",
    _FETCHED + "_is_batch_aborted(self, batch)",
    *(
        _FETCHED + name
        for name in (
            *("_next_inline_exception", "aborted_producer_ids", "bytes_read", "check_crcs", "isolation_level"),
            *("leader_epoch", "next_fetch_offset", "record_iterator", "records_read"),
        )
    ),
    # Batches of records, decompressed.
    "kafka.record:MemoryRecords.next_batch",
    *(
        _BATCH + name
        for name in (
            *("CODEC_SNAPPY", "LOG_APPEND_TIME", "_buffer", "_maybe_uncompress", "_pos", "base_offset"),
            *("compression_type", "first_timestamp", "has_producer_id", "is_control_batch", "last_offset"),
            *("leader_epoch", "magic", "max_timestamp", "next_offset", "producer_id", "records_count"),
            *("timestamp_type", "validate_crc"),
        )
    ),
    # Requests and responses of a fetch, which get the ids of topics.
    _FETCHER + "_create_fetch_requests(self)",
    _FETCHER + "_handle_fetch_response(self, node_id, fetch_offsets, send_time, response)",
    _FETCHER + "_parse_fetched_data(self, completed_fetch)",
    _FETCHER + "_session_handlers",
    _FETCHER + "_subscriptions",
    "kafka.consumer.fetcher:CompletedFetch.partition_data",
    *(
        _PROTOCOL + name
        for name in (
            *("FetchRequest._max_version", "FetchRequest.forgotten_topics_data", "FetchRequest.topics"),
            *("FetchRequest.FetchTopic.topic", "FetchRequest.FetchTopic.topic_id"),
            *("FetchRequest.ForgottenTopic.topic", "FetchRequest.ForgottenTopic.topic_id"),
            *("FetchResponse.API_VERSION", "FetchResponse.responses"),
            *("FetchResponse.FetchableTopicResponse.partitions", "FetchResponse.FetchableTopicResponse.topic"),
            "FetchResponse.FetchableTopicResponse.topic_id",
        )
    ),
    # Fetched data that the fetcher keeps after a pause or when it is used up.
    *(
        _FETCHER + name
        for name in ("_next_partition_records", "_paused_completed_fetches", "_paused_partition_records")
    ),
    # Positions, metadata, questions to a broker of our choice, a join under way.
    *(_SUBSCRIPTIONS + name for name in ("assigned_partitions", "assignment", "seek(self, partition, offset)")),
    *(
        _CLUSTER + name
        for name in (
            *("_last_successful_refresh_ms", "cluster_id", "leader_for_partition", "refresh_metadata"),
            *("request_update", "topic_id"),
        )
    ),
    *(_MANAGER + name for name in ("call_soon", "run", "send", "wait_for")),
    "kafka.consumer.subscription_state:TopicPartitionState.position",
    _PROTOCOL + "OffsetForLeaderEpochRequest.OffsetForLeaderTopic.OffsetForLeaderPartition",
    *(
        _PROTOCOL + "OffsetForLeaderEpochResponse.OffsetForLeaderTopicResult." + name
        for name in ("EpochEndOffset.end_offset", "EpochEndOffset.error_code", "partitions")
    ),
    *(_COORDINATOR + name for name in ("_join_task", "need_rejoin", "request_rejoin")),
    # The sending thread of a producer.
    "kafka.producer.kafka:KafkaProducer._sender",
    "kafka.producer.sender:Sender.force_close(self)",
)


def missing_names(needed: Sequence[str] = NEEDED, module_of: Callable[[str], Any] = import_module) -> tuple[str, ...]:
    """Return those of the needed names that the library does not have, in order. `module_of` imports a module."""
    return tuple(name for name in needed if not _is_there(name, module_of))


def _is_there(needed: str, module_of: Callable[[str], Any]) -> bool:
    module, _, path = needed.partition(":")
    path, has_parameters, parameters = path.partition("(")
    try:
        owner = module_of(module)
        *owners, name = path.split(".")
        for one in owners:
            owner = getattr(owner, one)
        if not has_parameters:
            return hasattr(owner, name) or name in _set_by_constructors(owner)
        return list(inspect.signature(getattr(owner, name)).parameters) == parameters.rstrip(")").split(", ")
    except (ImportError, AttributeError, TypeError, ValueError):
        return False


def _set_by_constructors(owner: type) -> Iterator[str]:
    """The names that the constructors of a class mention, among them the attributes of its instances."""
    for one in inspect.getmro(owner):
        constructor = vars(one).get("__init__")
        yield from constructor.__code__.co_names if inspect.isfunction(constructor) else ()


#: Checked once, at import.
MISSING: Final = missing_names()


def why_internals_are_not_used(missing: Sequence[str] = MISSING) -> str | None:
    """Explain, with the release of the library, why its insides are not used; None when they are."""
    if not missing:
        return None
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"kafka-python {version('kafka-python')} lacks {missing[0]}{more}"
