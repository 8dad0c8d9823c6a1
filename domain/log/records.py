"""The event log as the rest of the engine sees it: records under one sequence of positions.

Positions start at 1, are contiguous and are never re-used. A stream's versions start at 1 and are
contiguous too; writing a version that exists raises `Fenced`, and nothing of that append is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final, Protocol
from urllib.parse import quote

import msgspec

from domain.scope import Scope

USAGE_BATCH_TOPIC: Final = "usage.batch"
CHAIN_START: Final = bytes(32)


class NewRecord(msgspec.Struct, frozen=True):
    """Something to append: its place in its stream, its topic and its stored bytes."""

    stream: str
    version: int
    topic: str
    state: bytes


class LogRecord(msgspec.Struct, frozen=True):
    """Something appended, at its position."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes


class EventLog(Protocol):
    """An append-only log with optimistic concurrency per stream. Safe to call from several threads."""

    def append(self, records: Sequence[NewRecord]) -> list[int]:
        """Store all records or none, durably, in this order; answer their positions.

        Raises `Fenced` when a (stream, version) is taken, `LogUnavailable` when storage refuses.
        """

    def read(self, after: int, limit: int, until: int | None = None) -> list[LogRecord]:
        """Up to `limit` records with `after` < position (<= `until`), in position order."""

    def stream(self, stream: str, after_version: int = 0, limit: int | None = None) -> list[LogRecord]:
        """The records of one stream with a version above `after_version`, in order, the first `limit` of them.

        `position` is 0 in these.
        """

    def head_version(self, stream: str) -> int:
        """The last version of a stream; 0 when it has none."""

    def head_versions(self, streams: Sequence[str]) -> dict[str, int]:
        """The last version of each of these streams that has a record. Many cost little more than one."""

    def last_record(self, stream: str) -> LogRecord | None:
        """The last record of a stream (`position` is 0 in it)."""

    def head_position(self) -> int:
        """The last position; 0 when the log is empty."""

    def change_counter(self) -> int:
        """A number that differs after another connection or process appended. Cheap: may be asked every 5 ms."""

    def close(self) -> None:
        """Release files and connections."""


def chained(previous: bytes, record: LogRecord, chain_part: bytes) -> bytes:
    """The running hash after `record`. `chain_part` is what of its stored bytes the chain covers.

    For a usage batch that is its header (which names a hash of each buffer), so that a redacted
    free buffer breaks no chain; for everything else it is the whole state.
    """
    digest = hashlib.sha256(previous)
    for part in (record.stream.encode(), record.topic.encode(), chain_part):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    digest.update(record.position.to_bytes(8, "big"))
    digest.update(record.version.to_bytes(8, "big"))
    return digest.digest()


def chain(previous: bytes, records: Sequence[LogRecord]) -> Iterator[bytes]:
    """The running hash after each of `records`."""
    from domain.log.blocks import chain_part

    for record in records:
        previous = chained(previous, record, chain_part(record.topic, record.state))
        yield previous


# Stream names. The last part may hold anything; every part before it has a closed alphabet or is quoted.


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
