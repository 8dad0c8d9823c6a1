"""The stored format of the facts that events of a usage block carry: the third buffer of a block of version 2.

u64 plain length | one zstd frame: MessagePack list of `StoredFacts`, in ascending order of their rows
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec
import pyarrow as pa

from domain.customers.event_facts import StoredFacts
from domain.errors import LogCorrupted

#: A buffer that claims to hold more is corrupt: the largest request body is far smaller.
FACTS_BYTES_MAX: Final = 1024**3
_LENGTH_BYTES: Final = 8
_ZSTD: Final = pa.Codec("zstd", compression_level=1)


def pack_facts(facts: Sequence[StoredFacts]) -> bytes:
    """Return the buffer with these facts. `ValueError` unless there are some, of rows in ascending order."""
    if not facts or not _are_ascending(facts):
        raise ValueError("a block has facts of rows in ascending order, or no buffer for them")
    plain = _encode(list(facts))
    packed: bytes = _ZSTD.compress(plain, asbytes=True)
    return len(plain).to_bytes(_LENGTH_BYTES, "big") + packed


def unpack_facts(buffer: memoryview, rows: int) -> tuple[StoredFacts, ...]:
    """Return the facts in the buffer of a block with so many rows; `LogCorrupted` for anything else."""
    try:
        size = int.from_bytes(buffer[:_LENGTH_BYTES], "big")
        if size > FACTS_BYTES_MAX:
            raise LogCorrupted(f"facts buffer claims to hold {size} bytes")
        facts = _decode(_ZSTD.decompress(buffer[_LENGTH_BYTES:], decompressed_size=size))
    except (pa.ArrowException, OSError, ValueError, MemoryError, RecursionError) as error:
        raise LogCorrupted(f"facts buffer cannot be decoded: {error}") from error
    if not facts or not _are_ascending(facts) or not 0 <= facts[0].row <= facts[-1].row < rows:
        raise LogCorrupted("facts buffer has facts of other rows than the block has")
    return facts


def _are_ascending(facts: Sequence[StoredFacts]) -> bool:
    return all(one.row < following.row for one, following in pairwise(facts))


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(tuple[StoredFacts, ...]).decode
