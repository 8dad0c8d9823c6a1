"""Convert the usage blocks of one fold step into rows of the read store, column by column. No I/O.

1. Concatenate the blocks of the step: one row per received event.
2. Collect the columns that deduplication needs; `projections.identity.resolution` gives each row its outcome.
3. Give counted rows their surrogate keys, in log order.
4. Price counted rows without a cost of their own by the price book of this step.
5. Make every other row an outcome row, with the reason that intake or deduplication found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.customers.event_facts import StoredFacts
from domain.log.blocks import BlockHeader, decode_facts, decode_free, decode_typed, read_header
from domain.log.records import LogRecord
from domain.usage.block_schema import FAILED, FREE, INSTANT, REQUEST_TYPE, TOKEN_COLUMNS, TYPED
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
from projections.folding.staged_tables import OUTCOME_ROWS, USAGE_ROWS
from projections.identity.resolution import BATCH_REFUSED as BATCH_REFUSED_CODE
from projections.identity.resolution import COUNTED, NO_GROUP, OUTCOME_OF_CODE, ReceivedRows, Resolution
from projections.pricing.price_book import PricedRows, discount_lists
from projections.quantity_columns import quantities_of, unit_lists

_COPIED_COLUMNS: Final = (
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
    "requests",
    "quantities_unknown",
    "price_context",
)
#: Distinct codes are found with an array of all possible codes, or by sorting where those are this many times the rows.
_SPAN_PER_ROW_MAX: Final = 8


class FoldBlock(msgspec.Struct, frozen=True):
    """A decoded usage batch of the log, with the key of its scope. `facts`: those that its events carry."""

    position: int
    stream: str
    scope_key: int
    header: BlockHeader
    typed: pa.RecordBatch
    free: pa.RecordBatch
    facts: tuple[StoredFacts, ...] = ()


def decoded_block(record: LogRecord, scope_key: Callable[[BlockHeader], int], *, free: bool = True) -> FoldBlock:
    """Decode a usage batch of the log. `free` false: its free columns are null."""
    header = read_header(record.state)
    return FoldBlock(
        position=record.position,
        stream=record.stream,
        scope_key=scope_key(header),
        header=header,
        typed=decode_typed(record.state),
        free=decode_free(record.state) if free else null_free(header.count),
        facts=decode_facts(record.state),
    )


def null_free(count: int) -> pa.RecordBatch:
    """Free columns of so many rows, all null."""
    return pa.RecordBatch.from_arrays([pa.nulls(count, field.type) for field in FREE], schema=FREE)


class StepRows(msgspec.Struct, frozen=True):
    """All received events of one fold step in log order, one row each.

    `positions`: those from which they claim; of live events those of their blocks.
    """

    typed: pa.Table
    free: pa.Table
    positions: Ints
    locators: Ints
    scope_keys: npt.NDArray[np.int32]
    recorded_us: Ints
    streams: pa.DictionaryArray


def concatenate_blocks(blocks: Sequence[FoldBlock]) -> StepRows:
    """Concatenate the rows of `blocks`, which are in log order."""
    counts = np.array([block.typed.num_rows for block in blocks])
    positions = np.repeat(np.array([block.position for block in blocks], dtype=np.int64), counts)
    rows = np.concatenate([np.arange(count, dtype=np.int64) for count in counts.tolist()])
    recorded = np.array([epoch_microseconds(block.header.recorded_at) for block in blocks], dtype=np.int64)
    names = pa.array([block.stream for block in blocks])
    return StepRows(
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


def one_event(block: FoldBlock, locator: int) -> StepRows:
    """The row of a block with one event, which another event has at this locator."""
    return msgspec.structs.replace(concatenate_blocks([block]), locators=np.array([locator], dtype=np.int64))


def received_rows(step_rows: StepRows) -> ReceivedRows:
    """The columns that deduplication needs.

    A group never spans blocks: equal names in two blocks are two groups.
    """
    group_codes, texts = codes(step_rows.typed, "group")
    return ReceivedRows(
        identities=unsigned(step_rows.typed, "identity"),
        contents=unsigned(step_rows.typed, "content"),
        locators=step_rows.locators.astype(np.uint64),
        accepted=np.asarray(pc.is_null(column(step_rows.typed, "reason")), dtype=bool),
        groups=np.where(
            group_codes < 0, NO_GROUP, (step_rows.locators >> LOCATOR_ROW_BITS) * (len(texts) + 1) + group_codes
        ),
        atomic=np.asarray(pc.fill_null(column(step_rows.typed, "atomic"), False), dtype=bool),
    )


def usage_rows(step_rows: StepRows, counted: Bools, state: FoldState) -> pa.Table:
    """Rows of the read store for the counted events."""
    typed, free = step_rows.typed, step_rows.free
    if not counted.all():  # mostly all are, and a filter copies everything
        mask = pa.array(counted)
        typed, free = typed.filter(mask), free.filter(mask)
    positions, scope_keys = step_rows.positions[counted], step_rows.scope_keys[counted]
    kind_keys = _kind_keys(typed, state)
    customer_keys = _customer_keys(typed, scope_keys, positions, state)
    costs = _costs(typed, scope_keys, customer_keys, state)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "scope_key": pa.array(scope_keys),
        "customer_key": pa.array(customer_keys),
        "locator": pa.array(step_rows.locators[counted]),
        "kind_key": pa.array(kind_keys),
        **costs,
        "repriced_at": pa.nulls(len(positions), pa.int64()),
        "counted_at": pa.array(positions),
        "closed_at": _closed_by_waiting_voids(typed, scope_keys, positions, state),
        "recorded_at": pa.array(step_rows.recorded_us[counted]).cast(INSTANT),
    }
    columns.update({name: typed.column(name) for name in _COPIED_COLUMNS})
    columns.update({name: free.column(name) for name in ("tags", "properties", "extensions")})
    columns["unit_names"], columns["unit_quantities"] = unit_lists(column(typed, "units"))
    return pa.table(columns, USAGE_ROWS)


def outcome_rows(step_rows: StepRows, resolved: Resolution) -> pa.Table:
    """Rows of the read store for the events that were not counted."""
    refused = resolved.codes != COUNTED
    mask = pa.array(refused)
    typed, free = step_rows.typed.filter(mask), step_rows.free.filter(mask)
    outcomes = resolved.codes[refused]
    first = resolved.first_locators[refused].astype(np.int64)
    names = pa.array(OUTCOME_OF_CODE, pa.utf8()).take(pa.array(outcomes))
    by_group = pa.array(outcomes == BATCH_REFUSED_CODE)
    reason = column(typed, "reason").cast(pa.utf8())
    return pa.table(
        {
            "locator": pa.array(step_rows.locators[refused]),
            "scope_key": pa.array(step_rows.scope_keys[refused]),
            "source": typed.column("source"),
            "id": typed.column("id"),
            "customer_id": typed.column("subject"),
            "type": typed.column("type"),
            "outcome": names,
            "reason": pc.if_else(by_group, BATCH_REFUSED, reason),
            "detail": free.column("detail"),
            "first_locator": pa.array(first, mask=first == 0),
            "content": typed.column("content"),
            "recorded_at": pa.array(step_rows.recorded_us[refused]).cast(INSTANT),
            "stream": step_rows.streams.filter(mask),
            "raw": free.column("raw"),
            "decided_at": pa.array(step_rows.positions[refused]),
        },
        OUTCOME_ROWS,
    )


def _distinct_in_order(values: Ints, span: int) -> tuple[Ints, Ints, Ints]:
    """Distinct values, all in [0, span), in order of first appearance.

    Returns the values, the first row of each, and for each row the number of its value.
    """
    if span > _SPAN_PER_ROW_MAX * len(values):
        distinct, first, inverse = np.unique(values, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return distinct[order], first[order], rank[inverse]
    first_row = np.full(span, -1, dtype=np.int64)
    first_row[values[::-1]] = np.arange(len(values) - 1, -1, -1)  # of equal values the last one written is the first
    present = np.flatnonzero(first_row >= 0)
    ordered = present[np.argsort(first_row[present])]
    rank = np.empty(span, dtype=np.int64)
    rank[ordered] = np.arange(len(ordered))
    return ordered, first_row[ordered], rank[values]


def _customer_keys(typed: pa.Table, scope_keys: npt.NDArray[np.int32], positions: Ints, state: FoldState) -> Ints:
    subjects, names = codes(typed, "subject")
    width = len(names) + 1
    span = (int(scope_keys.max(initial=0)) + 1) * width
    distinct, first, which = _distinct_in_order(scope_keys.astype(np.int64) * width + subjects, span)
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
    distinct, _, which = _distinct_in_order((types * wider + providers + 1) * wide + models + 1, span)
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


def _costs(
    typed: pa.Table, scope_keys: npt.NDArray[np.int32], customer_keys: Ints, state: FoldState
) -> dict[str, pa.Array]:
    """The cost, its origin, and the positions of the price and the discounts applied, for every row."""
    given = column(typed, "cost_usd")
    has_cost = np.asarray(pc.is_valid(given), dtype=bool)
    types, type_names = codes(typed, "type")
    models, model_names = codes(typed, "model")
    providers, provider_names = codes(typed, "provider")
    is_request = types == (type_names.index(REQUEST_TYPE) if REQUEST_TYPE in type_names else -2)
    priceable = ~has_cost & is_request & (models >= 0)
    if column(typed, "quantities_unknown").null_count < len(has_cost):
        priceable &= ~_failed_without_quantities(typed)
    unpriced = np.flatnonzero(priceable)
    origins = np.where(has_cost, 0, 1).astype(np.int8)
    origins[unpriced] = 3
    words = decimal_words(given)
    known = has_cost.copy()
    price_positions = np.zeros(len(has_cost), dtype=np.int64)
    discounted: list[PricedRows] = []
    if len(unpriced):
        times = integers(typed, "time")
        quantities = quantities_of(typed)
        wide, wider = len(model_names) + 1, len(provider_names) + 1
        kinds = (scope_keys[unpriced].astype(np.int64) * wider + providers[unpriced] + 1) * wide + models[unpriced]
        for value in np.unique(kinds).tolist():
            rest, model = divmod(value, wide)
            scope_key, provider = divmod(rest, wider)
            rows = unpriced[kinds == value]
            name = provider_names[provider - 1] if provider else ""
            used = quantities.take(rows)
            of_kind = scope_key, name, model_names[model], customer_keys[rows], times[rows], used
            for found in state.prices.costs(*of_kind):
                priced = rows[found.indexes]
                words[priced] = words_of_integers(found.costs)
                price_positions[priced] = found.price_position
                if found.discount_positions:
                    discounted.append(found._replace(indexes=priced))
                origins[priced], known[priced] = 2, True
    origin_names = pa.array(["producer", "none", "price", "unknown"])
    return {
        "cost_usd": decimals_of_words(words, known),
        "cost_origin": pa.DictionaryArray.from_arrays(pa.array(origins), origin_names),
        "price_position": pa.array(price_positions, mask=price_positions == 0),
        "discount_positions": discount_lists(len(has_cost), discounted),
    }


def _failed_without_quantities(typed: pa.Table) -> Bools:
    """Requests that failed and told nothing of what they used: they have no cost."""
    unknown = pc.fill_null(column(typed, "quantities_unknown"), False)
    failed = pc.fill_null(pc.equal(column(typed, "status").cast(pa.utf8()), FAILED), False)
    return np.asarray(pc.and_(unknown, failed), dtype=bool)


def _closed_by_waiting_voids(
    typed: pa.Table, scope_keys: npt.NDArray[np.int32], positions: Ints, state: FoldState
) -> pa.Array:
    """Close rows whose void came before the event: such a row is stored, but is in effect at no position."""
    closed = np.zeros(len(positions), dtype=np.int64)
    if state.waiting_voids:
        sources, ids = typed.column("source").to_pylist(), typed.column("id").to_pylist()
        for row, identity in enumerate(zip(scope_keys.tolist(), sources, ids, strict=True)):
            if identity in state.waiting_voids:
                state.waiting_voids.discard(identity)
                closed[row] = positions[row]
    return pa.array(closed, mask=closed == 0)
