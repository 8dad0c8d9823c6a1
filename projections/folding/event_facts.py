"""Fold the facts about customers that counted usage events carry.

1. Leave out those of events that are not counted: a duplicate applies nothing a second time.
2. Decrypt what is personal; it is left out once its key is destroyed.
3. Merge the facts of one block, customer and instant in order of their rows. One fact is left of them, so that the
   order of all facts stays (effective instant, position), and is that of the rows too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from domain.customers.event_facts import CUSTOMER_DESCRIBED, StoredFacts
from domain.customers.personal_data import open_personal
from domain.customers.personal_keys import PersonalKeys
from domain.values.instants import aware
from projections.arrow_columns import Bools
from projections.folding.fold_state import FoldState
from projections.folding.lifecycle_writes import FactOwner, NewFact
from projections.folding.usage_blocks import FoldBlock

_NO_PERSONAL: Final[dict[str, object]] = {}


def facts_of_events(
    blocks: Sequence[FoldBlock], counted: Bools, state: FoldState, keys: PersonalKeys
) -> Iterator[NewFact]:
    """Yield the facts that counted events of these blocks carry; `counted` tells it of the rows of all blocks."""
    first = 0
    for block in blocks:
        if block.facts:
            yield from _facts_of_block(block, counted[first : first + block.typed.num_rows], state, keys)
        first += block.typed.num_rows


def _facts_of_block(block: FoldBlock, counted: Bools, state: FoldState, keys: PersonalKeys) -> Iterator[NewFact]:
    merged: dict[tuple[str, datetime], NewFact] = {}
    subjects, times = block.typed.column("subject"), block.typed.column("time")
    for carried in block.facts:
        if counted[carried.row]:
            customer_id, at = subjects[carried.row].as_py(), aware(times[carried.row].as_py())
            fact = _fact(block, customer_id, at, carried, state, keys)
            earlier = merged.get((customer_id, at))
            if earlier is not None:
                fact = msgspec.structs.replace(fact, fields={**earlier.fields, **fact.fields})
            merged[customer_id, at] = fact
    yield from merged.values()


def _fact(
    block: FoldBlock, customer_id: str, at: datetime, carried: StoredFacts, state: FoldState, keys: PersonalKeys
) -> NewFact:
    personal = _NO_PERSONAL
    if carried.personal is not None:
        personal = open_personal(keys, carried.personal, block.header.scope, customer_id) or _NO_PERSONAL
    customer_key = state.customer_key(block.scope_key, customer_id, block.position)
    return NewFact(
        FactOwner("customer", block.scope_key, None, customer_key),
        block.position,
        at,
        block.header.recorded_at,
        CUSTOMER_DESCRIBED,
        {**carried.fields, **personal},
        carried.actor,
        carried.dialect,
        None,
    )
