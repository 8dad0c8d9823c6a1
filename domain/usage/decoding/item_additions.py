"""What a source adds to items beside their bytes: content that makes an event another one, and why it is rejected.

It is applied to decoded events, so that decoding pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import xxhash

from domain.errors import InvalidInput
from domain.scope import Scope
from domain.usage.block_schema import TYPED
from domain.usage.decoding.decoder import DecodedEvents
from domain.usage.decoding.single_event import RowContext, batches_of, completed_row, rejected_row

_CONTENT: Final = TYPED.get_field_index("content")
_CONTENT_BYTES: Final = 8


def with_content(decoded: DecodedEvents, added: Mapping[int, bytes], seed: int) -> DecodedEvents:
    """Return the events with these texts, by row, as part of their content."""
    if not added:
        return decoded
    contents = decoded.typed.column(_CONTENT).to_numpy(zero_copy_only=False).astype(np.uint64)
    for row, text in added.items():
        digest = int(contents[row]).to_bytes(_CONTENT_BYTES, "big")
        contents[row] = xxhash.xxh3_64_intdigest(digest + text, seed)
    typed = decoded.typed.set_column(_CONTENT, TYPED.field(_CONTENT), pa.array(contents, pa.uint64()))
    return msgspec.structs.replace(decoded, typed=typed)


def with_rejected(
    decoded: DecodedEvents,
    problems: Mapping[int, InvalidInput],
    items: Sequence[bytes],
    context: RowContext,
    scope: Scope,
) -> DecodedEvents:
    """Return the events with these rows rejected too. One that was rejected before keeps its reason."""
    known = set(decoded.rejected_rows)
    rejected = sorted(problems.keys() - known)
    if not rejected:
        return decoded
    typed, free = [], []
    for start, row, end in _cuts(rejected, decoded.received):
        if row is None:
            parts = decoded.typed.slice(start, end - start), decoded.free.slice(start, end - start)
        else:
            of_request = {name: decoded.typed.column(name)[row].as_py() for name in ("group", "atomic")}
            refused = completed_row(rejected_row(items[row], problems[row], context), context, scope)
            parts = batches_of([refused | of_request])
        typed.append(parts[0])
        free.append(parts[1])
    return DecodedEvents(_joined(typed), _joined(free), sorted(known | set(rejected)), decoded.warnings)


def _cuts(rejected: Sequence[int], count: int) -> Iterator[tuple[int, int | None, int]]:
    """Yield each rejected row, and the ranges between them, in order: (start, row or None, end)."""
    start = 0
    for row in rejected:
        if start < row:
            yield start, None, row
        yield row, row, row + 1
        start = row + 1
    if start < count:
        yield start, None, count


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(batches).unify_dictionaries().combine_chunks().to_batches()[0]
