"""Names of the streams of the log, one function for each kind of stream.

The last part of a name may hold anything; every part before it has a closed alphabet, is quoted or carries its length.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from domain.scope import Scope


def customer_stream(scope: Scope, customer_id: str) -> str:
    return f"customer/{scope}/{customer_id}"


def budget_stream(scope: Scope, budget_id: str) -> str:
    return f"budget/{scope}/{budget_id}"


def meter_stream(scope: Scope, code: str) -> str:
    return f"meter/{scope}/{code}"


def key_stream(key_id: str) -> str:
    return f"key/{key_id}"


def listed_price_stream(provider: str, model: str) -> str:
    """Length-prefixed, so that no pair of names can be mistaken for another."""
    return f"price-list/{len(provider)}/{provider}/{model}"


def price_stream(scope: Scope, provider: str, model: str) -> str:
    return f"price/{scope}/{len(provider)}/{provider}/{model}"


def correction_stream(scope: Scope, source: str, event_id: str) -> str:
    return f"correction/{scope}/{len(source)}/{source}/{event_id}"


def usage_stream(kind: str, name: str) -> str:
    """Where a source of usage writes its blocks: kind is http, file or kafka."""
    return f"usage/{kind}/{name}"


def partition_stream(cluster_id: str, topic_id: str, partition: int) -> str:
    """Where a partition of a Kafka topic is appended. A topic that was made again has another id, and so a stream."""
    return usage_stream("kafka", f"{quote(cluster_id, safe='')}/{quote(topic_id, safe='')}/{partition}")


def command_stream(scope: Scope, source: str, command_id: str) -> str:
    """What a command reserves by being honoured: it has one record, whatever way the command came."""
    return f"command/{scope}/{len(source)}/{source}/{command_id}"


def tombstone_stream(scope: Scope, partition: str, offset: int, arrival_us: int, customer_id: str) -> str:
    """What a record without value reserves: `partition` is the stream that it was read into.

    Its timestamp and its customer tell it from another record that has its offset after a broker lost some.
    """
    return f"tombstone/{scope}/{len(partition)}/{partition}/{offset}/{arrival_us}/{customer_id}"


#: What concerns the log as a whole: its creation, its seals, the closings that were announced.
LOG_STREAM: Final = "log"
