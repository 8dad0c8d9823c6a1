"""The hash chain over the log: a running SHA-256 of every record and of the one before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from domain.log.blocks import _header_end
from domain.log.records import USAGE_BATCH_TOPIC, LogRecord

CHAIN_START: Final = bytes(32)


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
    from domain.log.chain import chain_part

    for record in records:
        previous = chained(previous, record, chain_part(record.topic, record.state))
        yield previous


def chain_part(topic: str, state: bytes) -> bytes:
    """What of a record's stored bytes the running hash covers: of a usage batch all before its buffers."""
    return state[: _header_end(state)] if topic == USAGE_BATCH_TOPIC else state
