"""The stored format of a usage batch: a header and two columnar buffers.

    b"MFB1" | u32 header length | header (MessagePack of `BlockHeader`) | typed buffer | free buffer
    b"MFB2" | u32 header length | header (`FactsBlockHeader`) | typed buffer | facts buffer | free buffer
    b"MFB3" | u32 header length | header (`QuantitiesBlockHeader`) | typed | quantities | facts | free buffer

Version 2 is a block with events that carry facts about their customers (see `block_facts.py`). Version 3 is a block
with an event that has one of the columns `QUANTITIES`; its facts buffer is empty if there are no facts. Every other
block is of version 1, which all releases read.

A buffer is a u64, the length of an Arrow IPC stream in bytes, followed by that stream as one zstd frame of level 1.
Compression is around the stream, not inside it: at 10,000 rows both cost the same, and a block of one row is a fifth
of the size. Numbers are big-endian. The header has the SHA-256 of each stored buffer, and the log's running hash covers
magic, length and header, so that the chain stays intact when erasure replaces a free buffer.

Any damage of stored bytes is raised as `LogCorrupted`, and a block of a newer version (the digit in its magic bytes)
as `UnknownRecord`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import pyarrow as pa

from domain.customers.event_facts import StoredFacts
from domain.errors import LogCorrupted, UnknownRecord
from domain.log.block_facts import pack_facts, unpack_facts
from domain.scope import Scope
from domain.usage.block_schema import BLOCK_EVENTS_MAX, COMMON, FREE, QUANTITIES, TYPED

#: The newest version of blocks that is written, and that can be read.
BLOCK_VERSION: Final = 3
_MAGIC_NAME: Final = b"MFB"
#: What a block begins with: a plain one, one with facts, and one with quantities.
MAGIC: Final = _MAGIC_NAME + b"1"
FACTS_MAGIC: Final = _MAGIC_NAME + b"2"
QUANTITIES_MAGIC: Final = _MAGIC_NAME + b"3"
HEADER_BYTES_MAX: Final = 64 * 1024
#: A buffer with a larger size than this is corrupt: the largest request body is far smaller.
PLAIN_BYTES_MAX: Final = 4 * 1024**3
_PREFIX_BYTES: Final = 8
_ZSTD: Final = pa.Codec("zstd", compression_level=1)


class BlockHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The stored header of a block. Offsets are the source's own, inclusive; `recorded_at` is UTC."""

    tenant: str
    environment: str
    stream: str
    version: int
    first_offset: int
    last_offset: int
    recorded_at: datetime
    count: int
    rejected: int
    typed_bytes: int
    typed_sha256: bytes
    free_bytes: int
    free_sha256: bytes
    extra: dict[str, Any] = {}

    @property
    def scope(self) -> Scope:
        """The tenant and environment of the block."""
        return Scope(self.tenant, self.environment)


class FactsBlockHeader(BlockHeader, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The stored header of a block with facts."""

    facts_bytes: int
    facts_sha256: bytes


class QuantitiesBlockHeader(FactsBlockHeader, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The stored header of a block with quantities, and with facts if `facts_bytes` is not 0."""

    quantities_bytes: int
    quantities_sha256: bytes


class BlockContext(msgspec.Struct, frozen=True):
    """The fields of a header that do not depend on the buffers: scope, stream and version, offsets, and time."""

    tenant: str
    environment: str
    stream: str
    version: int
    first_offset: int
    last_offset: int
    recorded_at: datetime


class BlockBuffers(msgspec.Struct, frozen=True):
    """The encoded buffers of a block with their fields of its header; independent of its stream.

    `quantities` is empty if no row has any.
    """

    typed: bytes
    quantities: bytes
    free: bytes
    count: int
    rejected: int
    typed_sha256: bytes
    free_sha256: bytes


def encode_buffers(typed: pa.RecordBatch, free: pa.RecordBatch) -> BlockBuffers:
    """Encode rows of the schemas `TYPED` and `FREE`, one of each for every event, at most `BLOCK_EVENTS_MAX`."""
    if not (typed.schema.equals(TYPED) and free.schema.equals(FREE) and typed.num_rows == free.num_rows):
        raise ValueError("a block takes one row by TYPED and one by FREE for each event")
    if not 1 <= typed.num_rows <= BLOCK_EVENTS_MAX:
        raise ValueError(f"a block has 1 to {BLOCK_EVENTS_MAX} rows")
    typed_buffer, free_buffer = _packed(typed.select(COMMON.names)), _packed(free)
    quantities = typed.select(QUANTITIES.names)
    reasons = typed.column("reason")
    return BlockBuffers(
        typed_buffer,
        _packed(quantities) if any(column.null_count < len(column) for column in quantities.columns) else b"",
        free_buffer,
        typed.num_rows,
        typed.num_rows - reasons.null_count,
        hashlib.sha256(typed_buffer).digest(),
        hashlib.sha256(free_buffer).digest(),
    )


def block_state(
    context: BlockContext,
    buffers: BlockBuffers,
    extra: dict[str, Any] | None = None,
    facts: Sequence[StoredFacts] = (),
) -> bytes:
    """The stored bytes of a block. `extra` is for the source's own use, and small because the header is bounded.

    `facts`: those that its events carry, by row.
    """
    packed = pack_facts(facts) if facts else b""
    of_buffers: dict[str, Any] = {}
    header_class: type[BlockHeader] = BlockHeader
    magic = MAGIC
    if packed or buffers.quantities:
        header_class, magic = FactsBlockHeader, FACTS_MAGIC
        of_buffers |= {"facts_bytes": len(packed), "facts_sha256": hashlib.sha256(packed).digest()}
    if buffers.quantities:
        header_class, magic = QuantitiesBlockHeader, QUANTITIES_MAGIC
        digest = hashlib.sha256(buffers.quantities).digest()
        of_buffers |= {"quantities_bytes": len(buffers.quantities), "quantities_sha256": digest}
    header = header_class(
        **msgspec.structs.asdict(context),
        **of_buffers,
        count=buffers.count,
        rejected=buffers.rejected,
        typed_bytes=len(buffers.typed),
        typed_sha256=buffers.typed_sha256,
        free_bytes=len(buffers.free),
        free_sha256=buffers.free_sha256,
        extra=extra or {},
    )
    head = msgspec.msgpack.encode(header)
    if len(head) > HEADER_BYTES_MAX:
        raise ValueError(f"a block's header has at most {HEADER_BYTES_MAX} bytes")
    parts = magic, len(head).to_bytes(4, "big"), head, buffers.typed, buffers.quantities, packed, buffers.free
    return b"".join(parts)


def encode_block(context: BlockContext, typed: pa.RecordBatch, free: pa.RecordBatch) -> bytes:
    """The stored bytes of a block with these rows."""
    return block_state(context, encode_buffers(typed, free))


def read_header(state: bytes) -> BlockHeader:
    """The header of a stored block, without reading its buffers."""
    return _header_and_end(state)[0]


def decode_typed(state: bytes) -> pa.RecordBatch:
    """The typed rows, checked against their hashes."""
    header, end = _header_and_end(state)
    buffer = memoryview(state)[end : end + header.typed_bytes]
    _check_buffer("typed", buffer, header.typed_bytes, header.typed_sha256)
    common = _unpacked("typed", buffer, COMMON, header.count)
    return pa.RecordBatch.from_arrays([*common.columns, *_quantities(state, header, end)], schema=TYPED)


def _quantities(state: bytes, header: BlockHeader, end: int) -> list[pa.Array]:
    """The columns `QUANTITIES`, null in a block without them: all was told, of usual units and one request each."""
    if not isinstance(header, QuantitiesBlockHeader):
        return [pa.nulls(header.count, field.type) for field in QUANTITIES]
    start = end + header.typed_bytes
    buffer = memoryview(state)[start : start + header.quantities_bytes]
    _check_buffer("quantities", buffer, header.quantities_bytes, header.quantities_sha256)
    columns: list[pa.Array] = _unpacked("quantities", buffer, QUANTITIES, header.count).columns
    return columns


def decode_free(state: bytes, free_sha256: bytes | None = None) -> pa.RecordBatch:
    """The free rows, checked against the hash in the header, or `free_sha256` if erasure replaced the buffer."""
    header, end = _header_and_end(state)
    buffer = memoryview(state)[end + header.typed_bytes + _quantities_bytes(header) + _facts_bytes(header) :]
    length = header.free_bytes if free_sha256 is None else len(buffer)
    _check_buffer("free", buffer, length, header.free_sha256 if free_sha256 is None else free_sha256)
    return _unpacked("free", buffer, FREE, header.count)


def decode_facts(state: bytes) -> tuple[StoredFacts, ...]:
    """The facts that events of the block carry, checked against their hash; none in a block of version 1."""
    if state[:4] not in (FACTS_MAGIC, QUANTITIES_MAGIC):
        header_end(state)
        return ()
    header, end = _header_and_end(state)
    if not isinstance(header, FactsBlockHeader):
        raise LogCorrupted("block header has no facts")
    start = end + header.typed_bytes + _quantities_bytes(header)
    buffer = memoryview(state)[start : start + header.facts_bytes]
    _check_buffer("facts", buffer, header.facts_bytes, header.facts_sha256)
    return unpack_facts(buffer, header.count) if header.facts_bytes or state[:4] == FACTS_MAGIC else ()


def check_block(state: bytes, free_sha256: bytes | None = None) -> BlockHeader:
    """Decode everything and compare it with the header; raise `LogCorrupted` naming the difference."""
    header = read_header(state)
    typed = decode_typed(state)
    decode_facts(state)
    decode_free(state, free_sha256)
    rejected = typed.num_rows - typed.column("reason").null_count
    if rejected != header.rejected:
        raise LogCorrupted(f"block header says {header.rejected} rejected rows, the typed buffer has {rejected}")
    return header


def _packed(rows: pa.RecordBatch) -> bytes:
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, rows.schema) as writer:
        writer.write_batch(rows)
    plain = stream.getvalue()
    packed: bytes = _ZSTD.compress(plain, asbytes=True)
    return int(plain.size).to_bytes(8, "big") + packed


def _unpacked(name: str, buffer: memoryview, schema: pa.Schema, count: int) -> pa.RecordBatch:
    try:
        size = int.from_bytes(buffer[:8], "big")
        if size > PLAIN_BYTES_MAX:
            raise LogCorrupted(f"{name} buffer claims to hold {size} bytes")
        plain = _ZSTD.decompress(buffer[8:], decompressed_size=size)
        with pa.ipc.open_stream(plain) as reader:
            rows = reader.read_next_batch()
    except (pa.ArrowException, OSError, ValueError, StopIteration, MemoryError) as error:
        raise LogCorrupted(f"{name} buffer cannot be decoded: {error}") from error
    if not rows.schema.equals(schema):
        raise LogCorrupted(f"{name} buffer has other columns than this version of the log format")
    if rows.num_rows != count:
        raise LogCorrupted(f"block header says {count} rows, the {name} buffer has {rows.num_rows}")
    return rows


def _check_buffer(name: str, buffer: memoryview, length: int, sha256: bytes) -> None:
    if len(buffer) != length:
        raise LogCorrupted(f"{name} buffer has {len(buffer)} bytes, its header says {length}")
    if hashlib.sha256(buffer).digest() != sha256:
        raise LogCorrupted(f"{name} buffer does not match the SHA-256 in its header")


def header_end(state: bytes) -> int:
    """The index in the stored bytes at which the header ends and the buffers begin."""
    if state[:4] not in _READERS:
        _check_version(state)
        raise LogCorrupted("block does not start with its magic bytes")
    length = int.from_bytes(state[4:_PREFIX_BYTES], "big")
    if not 0 < length <= HEADER_BYTES_MAX or len(state) < _PREFIX_BYTES + length:
        raise LogCorrupted("block ends within its header")
    return _PREFIX_BYTES + length


def _check_version(state: bytes) -> None:
    """Raise `UnknownRecord` for a block of a newer version."""
    name, version = state[:3], state[3:4]
    if name == _MAGIC_NAME and version.isdigit() and int(version) > BLOCK_VERSION:
        raise UnknownRecord(
            f"a usage block has version {int(version)}, written by a newer release; "
            f"this one reads version {BLOCK_VERSION}"
        )


def _header_and_end(state: bytes) -> tuple[BlockHeader, int]:
    end = header_end(state)
    try:
        header = _READERS[state[:4]](state[_PREFIX_BYTES:end])
    except (ValueError, RecursionError) as error:
        raise LogCorrupted(f"block header cannot be read: {error}") from error
    sizes = header.typed_bytes, header.free_bytes, _facts_bytes(header), _quantities_bytes(header)
    if header.count < 1 or min(sizes) < 0 or header.recorded_at.tzinfo is None:
        raise LogCorrupted("block header holds impossible values")
    return header, end


def _facts_bytes(header: BlockHeader) -> int:
    return header.facts_bytes if isinstance(header, FactsBlockHeader) else 0


def _quantities_bytes(header: BlockHeader) -> int:
    return header.quantities_bytes if isinstance(header, QuantitiesBlockHeader) else 0


_READERS: Final[dict[bytes, Callable[[bytes], BlockHeader]]] = {
    MAGIC: msgspec.msgpack.Decoder(BlockHeader).decode,
    FACTS_MAGIC: msgspec.msgpack.Decoder(FactsBlockHeader).decode,
    QUANTITIES_MAGIC: msgspec.msgpack.Decoder(QuantitiesBlockHeader).decode,
}
