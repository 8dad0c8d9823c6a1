"""The hash chain of the log: a running SHA-256 over every record and the hash before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from domain.log.blocks import header_end
from domain.log.records import BLOCK_TOPICS, LogRecord

CHAIN_START: Final = bytes(32)


def chained(previous: bytes, record: LogRecord, chain_part: bytes) -> bytes:
    """The running hash after `record`, of whose stored bytes `chain_part` is covered."""
    digest = hashlib.sha256(previous)
    for part in (record.stream.encode(), record.topic.encode(), chain_part):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    digest.update(record.position.to_bytes(8, "big"))
    digest.update(record.version.to_bytes(8, "big"))
    return digest.digest()


def chain(previous: bytes, records: Sequence[LogRecord]) -> Iterator[bytes]:
    """The running hash after each of `records`."""
    for record in records:
        previous = chained(previous, record, chain_part(record.topic, record.state))
        yield previous


def chain_part(topic: str, state: bytes) -> bytes:
    """The part of a record's stored bytes that the running hash covers.

    For a block of usage events that is its header, which has a hash of each buffer, so that the chain stays intact when
    erasure replaces a free buffer; for every other record it is the whole state.
    """
    return state[: header_end(state)] if topic in BLOCK_TOPICS else state
