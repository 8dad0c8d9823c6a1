"""Read usage events back from the log by locator.

The identity index knows hashes only: reading the event itself confirms a match, and finds the event that a void names.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.corrections.events import UsageAmended, UsageReplaced
from domain.customers.personal_data import open_personal
from domain.customers.personal_keys import PersonalKeys
from domain.errors import LogCorrupted
from domain.log.amendments import row_of_amendment
from domain.log.blocks import decode_facts, decode_free, decode_typed, read_header
from domain.log.event_codec import decode_lifecycle
from domain.log.records import BLOCK_TOPICS, EventLog, LogRecord
from domain.scope import Scope
from domain.usage.amending.amended_event import stored_row
from domain.usage.amending.sent_form import StoredRow
from domain.usage.canonical_form import identity_hash
from domain.usage.locators import LOCATOR_ROW_BITS, position_of, row_of
from domain.usage.received_members import FACTS, Members, received_members
from projections.arrow_columns import Bools, column
from projections.folding.usage_blocks import StepRows
from projections.identity.claims import TakenClaims
from projections.identity.entries import U64, Rows
from projections.identity.index import IdentityIndex
from projections.identity.resolution import SameAsStored, SameHere

BLOCKS_KEPT_MAX: Final = 16
_LOCATED: Final = ("source", "id", "subject", "time", "subscription")


class LocatedEvent(msgspec.Struct, frozen=True):
    """The identity, the customer and the time (naive UTC) of the event at a locator.

    `subject` None: it has the customer of its subscription.
    """

    locator: int
    scope: Scope
    source: str
    id: str
    subject: str | None
    time: datetime
    subscription: str | None


class Identities(NamedTuple):
    """The identities of events as columns. `sources` may be a dictionary."""

    scope_keys: npt.NDArray[np.integer]
    sources: pa.Array
    ids: pa.Array

    def same(self, rows: Rows, others: Identities, other_rows: Rows) -> Bools:
        """Whether the identity in each of these rows is that of `others` in the row beside it."""
        same: Bools = self.scope_keys[rows] == others.scope_keys[other_rows]
        for mine, theirs in ((self.sources, others.sources), (self.ids, others.ids)):
            same &= np.asarray(pc.equal(_texts(mine, rows), _texts(theirs, other_rows)), dtype=bool)
        return same


def _texts(column: pa.Array, rows: Rows) -> pa.Array:
    return column.take(pa.array(rows)).cast(pa.utf8())


class EventLookup:
    """Reads events of the log by locator. Caches the last `BLOCKS_KEPT_MAX` decoded blocks."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._blocks: OrderedDict[int, tuple[Scope, pa.RecordBatch]] = OrderedDict()

    def at(self, locator: int) -> LocatedEvent:
        """The event at a locator. `LogCorrupted` when there is no usage block at its position."""
        scope, typed = self._block(position_of(locator))
        row = row_of(locator)
        source, event_id, subject, time, subscription = (typed.column(name)[row].as_py() for name in _LOCATED)
        return LocatedEvent(locator, scope, source, event_id, subject, time, subscription)

    def identities_at(self, locators: U64, scope_keys: Mapping[Scope, int]) -> Identities:
        """The identities of the events at these locators, of which there is at least one; errors as in `at`."""
        positions, block_of_row = np.unique(locators >> np.uint64(LOCATOR_ROW_BITS), return_inverse=True)
        rows = (locators & np.uint64((1 << LOCATOR_ROW_BITS) - 1)).astype(np.int64)
        order = np.argsort(block_of_row, kind="stable")
        keys, sources, ids = [], [], []
        ends = np.cumsum(np.bincount(block_of_row))
        for position, of_block in zip(positions.tolist(), np.split(rows[order], ends[:-1]), strict=True):
            scope, typed = self._block(position)
            keys.append(scope_keys[scope])
            sources.append(_texts(typed.column("source"), of_block))
            ids.append(_texts(typed.column("id"), of_block))
        back = np.argsort(order)
        return Identities(
            np.array(keys)[block_of_row], _texts(pa.concat_arrays(sources), back), _texts(pa.concat_arrays(ids), back)
        )

    def columns_at(self, locators: U64) -> tuple[pa.Table, pa.Table]:
        """The typed and the free columns of the events at these locators, of which there is at least one, in order."""
        positions, block_of_row = np.unique(locators >> np.uint64(LOCATOR_ROW_BITS), return_inverse=True)
        rows = (locators & np.uint64((1 << LOCATOR_ROW_BITS) - 1)).astype(np.int64)
        order = np.argsort(block_of_row, kind="stable")
        ends = np.cumsum(np.bincount(block_of_row))
        typed, free = [], []
        for position, of_block in zip(positions.tolist(), np.split(rows[order], ends[:-1]), strict=True):
            state = self._record(position).state
            typed.append(decode_typed(state).take(pa.array(of_block)))
            free.append(decode_free(state).take(pa.array(of_block)))
        back = pa.array(np.argsort(order))
        tables = pa.Table.from_batches(typed).unify_dictionaries(), pa.Table.from_batches(free).unify_dictionaries()
        return tables[0].combine_chunks().take(back), tables[1].combine_chunks().take(back)

    def row(self, locator: int) -> StoredRow | None:
        """The columns of the event at a locator as it was received; None when intake rejected it."""
        _, typed = self._block(position_of(locator))
        if typed.column("reason")[row_of(locator)].is_valid:
            return None
        return stored_row(typed, decode_free(self._record(position_of(locator)).state), row_of(locator))

    def members(self, locator: int, keys: PersonalKeys) -> Members | None:
        """What the event at a locator said when it was received, with the facts about its customer that it carried.

        None when intake rejected it. Personal facts are left out once their key is destroyed.
        """
        row = self.row(locator)
        if row is None:
            return None
        facts = self._facts(locator, row["subject"], keys)
        return received_members(row) | ({FACTS: facts} if facts else {})

    def _facts(self, locator: int, subject: str, keys: PersonalKeys) -> Members:
        scope, _ = self._block(position_of(locator))
        carried = decode_facts(self._record(position_of(locator)).state)
        found: Members = {}
        for one in carried:
            if one.row == row_of(locator):
                found |= one.fields
                if one.personal is not None:
                    found |= open_personal(keys, one.personal, scope, subject) or {}
        return found

    def amended_members(self, position: int, locator: int) -> Members:
        """What the event at a locator said as the amendment at this position made it.

        `LogCorrupted` when there is none there.
        """
        records = self._log.read(position - 1, 1)
        event = decode_lifecycle(records[0].topic, records[0].state) if records else None
        if isinstance(event, UsageReplaced) and locator in event.counted:
            row = self.row(event.received[event.counted.index(locator)])
            return {} if row is None else received_members(row)
        if not isinstance(event, UsageAmended):
            raise LogCorrupted(f"log position {position} holds no amendment")
        return received_members(row_of_amendment(event))

    def find(
        self, index: IdentityIndex, hash_seed: int, scope: Scope, source: str, event_id: str, taken: TakenClaims
    ) -> LocatedEvent | None:
        """The event that holds an identity, else one that a replacement withdrew; None when there is neither."""
        claimed = self.claimed(index, hash_seed, scope, source, event_id)
        holder = taken.holder([event.locator for event in claimed])
        return next((event for event in claimed if event.locator == holder), None)

    def claimed(
        self, index: IdentityIndex, hash_seed: int, scope: Scope, source: str, event_id: str
    ) -> list[LocatedEvent]:
        """The events that ever claimed an identity, ascending by locator. Several only where a backfill took claims."""
        hashed = np.array([identity_hash(hash_seed, scope, source, event_id)], dtype=np.uint64)
        located = {locator: self.at(locator) for _, locator in index.lookup(hashed).of_row(0)}
        asked = scope, source, event_id
        return [event for event in located.values() if (event.scope, event.source, event.id) == asked]

    def comparisons(self, rows: StepRows, scope_keys: Mapping[Scope, int]) -> tuple[SameAsStored, SameHere]:
        """Return the comparisons of identities that the resolution of these rows asks for."""
        received = Identities(rows.scope_keys, column(rows.typed, "source"), column(rows.typed, "id"))

        def same_as_stored(asked: Rows, locators: U64) -> Bools:
            distinct, which = np.unique(locators, return_inverse=True)
            return received.same(asked, self.identities_at(distinct, scope_keys), which)

        def same_here(asked: Rows, others: Rows) -> Bools:
            return received.same(asked, received, others)

        return same_as_stored, same_here

    def _block(self, position: int) -> tuple[Scope, pa.RecordBatch]:
        block = self._blocks.get(position)
        if block is None:
            state = self._record(position).state
            header = read_header(state)
            block = Scope(header.tenant, header.environment), decode_typed(state)
            self._blocks[position] = block
            while len(self._blocks) > BLOCKS_KEPT_MAX:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(position)
        return block

    def _record(self, position: int) -> LogRecord:
        records = self._log.read(position - 1, 1)
        if not records or records[0].position != position or records[0].topic not in BLOCK_TOPICS:
            raise LogCorrupted(f"log position {position} holds no usage batch, though the identity index points there")
        return records[0]
