"""From resolved blocks to the rows of the read store, column by column. Pure: what it does not know it is given.

1. The blocks of one fold step are laid end to end; each received event is one row of arrays.
2. The index says which identities were claimed before; settling gives each row its outcome.
3. Counted rows get their surrogate keys, in the order in which their events stand in the log.
4. Counted rows without a cost of their own are priced with what the price book knows at this step.
5. Everything else becomes an outcome row, with what intake or settling found wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.log.blocks import BlockHeader
from domain.usage.block_schema import FREE, INSTANT, REQUEST_TYPE, TOKEN_COLUMNS, TYPED
from domain.usage.locators import LOCATOR_ROW_BITS
from domain.usage.outcomes import BATCH_REFUSED
from domain.values.instants import epoch_microseconds
from projections.arrow_columns import (
    Bools,
    Ints,
    codes,
    column,
    decimal_words,
    decimals_of_words,
    integers,
    unsigned,
    words_of_integers,
)
from projections.folding.fold_state import FoldState
from projections.identity.resolution import BATCH_REFUSED as BATCH_REFUSED_CODE
from projections.identity.resolution import COUNTED, NO_GROUP, OUTCOME_OF_CODE, ReceivedRows, Resolution

_KEPT_AS_THEY_ARE: Final = (
    "time",
    "status",
    *TOKEN_COLUMNS,
    "source",
    "id",
    "content",
    "subscription",
    "parent_request",
    "hold_id",
    "latency_us",
    "ttft_us",
)


#: Codes are counted in an array of all possible ones; where those are many more than the rows, they are sorted.
_SPAN_PER_ROW_MAX: Final = 8


class FoldBlock(msgspec.Struct, frozen=True):
    """A usage batch as it stands in the log, decoded, with the key of its scope."""

    position: int
    stream: str
    scope_key: int
    header: BlockHeader
    typed: pa.RecordBatch
    free: pa.RecordBatch


class Laid(msgspec.Struct, frozen=True):
    """Blocks laid end to end."""

    typed: pa.Table
    free: pa.Table
    positions: Ints
    locators: Ints
    scope_keys: npt.NDArray[np.int32]
    recorded_us: Ints
    streams: pa.DictionaryArray


def lay(blocks: Sequence[FoldBlock]) -> Laid:
    """All rows of `blocks`, in log order."""
    counts = np.array([block.typed.num_rows for block in blocks])
    positions = np.repeat(np.array([block.position for block in blocks], dtype=np.int64), counts)
    rows = np.concatenate([np.arange(count, dtype=np.int64) for count in counts.tolist()])
    recorded = np.array([epoch_microseconds(block.header.recorded_at) for block in blocks], dtype=np.int64)
    names = pa.array([block.stream for block in blocks])
    return Laid(
        typed=pa.Table.from_batches([b.typed for b in blocks], TYPED).unify_dictionaries().combine_chunks(),
        free=pa.Table.from_batches([b.free for b in blocks], FREE).combine_chunks(),
        positions=positions,
        locators=positions << LOCATOR_ROW_BITS | rows,
        scope_keys=np.repeat(np.array([block.scope_key for block in blocks], dtype=np.int32), counts),
        recorded_us=np.repeat(recorded, counts),
        streams=pa.DictionaryArray.from_arrays(
            pa.array(np.repeat(np.arange(len(blocks), dtype=np.int32), counts)), names
        ),
    )


def received_rows(laid: Laid) -> ReceivedRows:
    """What settling must know of every row. A group never reaches beyond its block: equal names in two are two
    groups.
    """
    group_codes, texts = codes(laid.typed, "group")
    return ReceivedRows(
        identities=unsigned(laid.typed, "identity"),
        contents=unsigned(laid.typed, "content"),
        locators=laid.locators.astype(np.uint64),
        accepted=np.asarray(pc.is_null(column(laid.typed, "reason")), dtype=bool),
        groups=np.where(group_codes < 0, NO_GROUP, laid.positions * (len(texts) + 1) + group_codes),
        atomic=np.asarray(pc.fill_null(column(laid.typed, "atomic"), False), dtype=bool),
    )


def usage_rows(laid: Laid, counted: Bools, state: FoldState) -> pa.Table:
    """Rows for the read store of the counted events."""
    mask = pa.array(counted)
    typed, free = laid.typed.filter(mask), laid.free.filter(mask)
    positions, scope_keys = laid.positions[counted], laid.scope_keys[counted]
    kind_keys = _kind_keys(typed, state)
    cost, origin, price_positions = _costs(typed, scope_keys, state)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "scope_key": pa.array(scope_keys),
        "customer_key": pa.array(_customer_keys(typed, scope_keys, positions, state)),
        "locator": pa.array(laid.locators[counted]),
        "kind_key": pa.array(kind_keys),
        "cost_usd": cost,
        "cost_origin": origin,
        "price_position": price_positions,
        "counted_at": pa.array(positions),
        "closed_at": _closed_by_waiting_voids(typed, scope_keys, positions, state),
        "recorded_at": pa.array(laid.recorded_us[counted]).cast(INSTANT),
    }
    columns.update({name: typed.column(name) for name in _KEPT_AS_THEY_ARE})
    columns.update({name: free.column(name) for name in ("tags", "properties", "extensions")})
    return pa.table(columns)


def outcome_rows(laid: Laid, resolved: Resolution) -> pa.Table:
    """Rows for the read store of the events that were not counted."""
    refused = resolved.codes != COUNTED
    mask = pa.array(refused)
    typed, free = laid.typed.filter(mask), laid.free.filter(mask)
    outcomes = resolved.codes[refused]
    first = resolved.first_locators[refused].astype(np.int64)
    names = pa.array([OUTCOME_OF_CODE[code] for code in outcomes.tolist()], pa.utf8())
    by_group = pa.array(outcomes == BATCH_REFUSED_CODE)
    reason = column(typed, "reason").cast(pa.utf8())
    return pa.table(
        {
            "locator": pa.array(laid.locators[refused]),
            "scope_key": pa.array(laid.scope_keys[refused]),
            "source": typed.column("source"),
            "id": typed.column("id"),
            "customer_id": typed.column("subject"),
            "type": typed.column("type"),
            "outcome": names,
            "reason": pc.if_else(by_group, BATCH_REFUSED, reason),
            "detail": free.column("detail"),
            "first_locator": pa.array(first, mask=first == 0),
            "content": typed.column("content"),
            "recorded_at": pa.array(laid.recorded_us[refused]).cast(INSTANT),
            "stream": laid.streams.filter(mask),
            "raw": free.column("raw"),
        }
    )


def _first_seen(values: Ints, span: int) -> tuple[Ints, Ints, Ints]:
    """Distinct values, all in [0, span), in order of first appearance, where each first stands, and for each row
    which of them it is.
    """
    if span > _SPAN_PER_ROW_MAX * len(values):
        distinct, first, inverse = np.unique(values, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return distinct[order], first[order], rank[inverse]
    stands = np.full(span, -1, dtype=np.int64)
    stands[values[::-1]] = np.arange(len(values) - 1, -1, -1)  # of equal values the last one written is the first
    present = np.flatnonzero(stands >= 0)
    ordered = present[np.argsort(stands[present])]
    rank = np.empty(span, dtype=np.int64)
    rank[ordered] = np.arange(len(ordered))
    return ordered, stands[ordered], rank[values]


def _customer_keys(typed: pa.Table, scope_keys: npt.NDArray[np.int32], positions: Ints, state: FoldState) -> Ints:
    subjects, names = codes(typed, "subject")
    width = len(names) + 1
    span = (int(scope_keys.max(initial=0)) + 1) * width
    distinct, first, which = _first_seen(scope_keys.astype(np.int64) * width + subjects, span)
    keys = [
        state.customer_key(value // width, names[value % width], position)
        for value, position in zip(distinct.tolist(), positions[first].tolist(), strict=True)
    ]
    return np.array(keys, dtype=np.int64)[which]


def _kind_keys(typed: pa.Table, state: FoldState) -> npt.NDArray[np.int32]:
    (types, type_names), (providers, provider_names), (models, model_names) = (
        codes(typed, name) for name in ("type", "provider", "model")
    )
    wide, wider = len(model_names) + 1, len(provider_names) + 1
    span = len(type_names) * wider * wide
    distinct, _, which = _first_seen((types * wider + providers + 1) * wide + models + 1, span)
    keys = []
    for value in distinct.tolist():
        rest, model = divmod(value, wide)
        kind_type, provider = divmod(rest, wider)
        keys.append(
            state.kind_key(
                type_names[kind_type],
                provider_names[provider - 1] if provider else None,
                model_names[model - 1] if model else None,
            )
        )
    return np.array(keys, dtype=np.int32)[which]


def _costs(typed: pa.Table, scope_keys: npt.NDArray[np.int32], state: FoldState) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Cost, its origin, and the position of the price that made it, for every row."""
    given = column(typed, "cost_usd")
    has_cost = np.asarray(pc.is_valid(given), dtype=bool)
    types, type_names = codes(typed, "type")
    models, model_names = codes(typed, "model")
    providers, provider_names = codes(typed, "provider")
    is_request = types == (type_names.index(REQUEST_TYPE) if REQUEST_TYPE in type_names else -2)
    wanting = np.flatnonzero(~has_cost & is_request & (models >= 0))
    origins = np.where(has_cost, 0, 1).astype(np.int8)
    origins[wanting] = 3
    words = decimal_words(given)
    known = has_cost.copy()
    price_positions = np.zeros(len(has_cost), dtype=np.int64)
    if len(wanting):
        times = integers(typed, "time")
        tokens = [integers(typed, name) for name in TOKEN_COLUMNS]
        wide, wider = len(model_names) + 1, len(provider_names) + 1
        kinds = (scope_keys[wanting].astype(np.int64) * wider + providers[wanting] + 1) * wide + models[wanting]
        for value in np.unique(kinds).tolist():
            rest, model = divmod(value, wide)
            scope_key, provider = divmod(rest, wider)
            rows = wanting[kinds == value]
            name = provider_names[provider - 1] if provider else ""
            of_rows = [column[rows] for column in tokens]
            for price, chosen, costs in state.prices.costs(scope_key, name, model_names[model], times[rows], of_rows):
                priced = rows[chosen]
                words[priced] = words_of_integers(costs)
                price_positions[priced] = price
                origins[priced], known[priced] = 2, True
    origin_names = pa.array(["producer", "none", "price", "unknown"])
    return (
        decimals_of_words(words, known),
        pa.DictionaryArray.from_arrays(pa.array(origins), origin_names),
        pa.array(price_positions, mask=price_positions == 0),
    )


def _closed_by_waiting_voids(
    typed: pa.Table, scope_keys: npt.NDArray[np.int32], positions: Ints, state: FoldState
) -> pa.Array:
    """A void that came first: the row is stored for the record and holds at no position."""
    closed = np.zeros(len(positions), dtype=np.int64)
    if state.waiting_voids:
        sources, ids = typed.column("source").to_pylist(), typed.column("id").to_pylist()
        for row, identity in enumerate(zip(scope_keys.tolist(), sources, ids, strict=True)):
            if identity in state.waiting_voids:
                state.waiting_voids.discard(identity)
                closed[row] = positions[row]
    return pa.array(closed, mask=closed == 0)
