"""Read usage events back from the log by locator.

The identity index knows hashes only: reading the event itself confirms a match, and finds the event that a void names.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from domain.errors import LogCorrupted
from domain.log.blocks import decode_free, decode_typed, read_header
from domain.log.records import USAGE_BATCH_TOPIC, EventLog, LogRecord
from domain.scope import Scope
from domain.usage.canonical_form import identity_hash
from domain.usage.locators import position_of, row_of
from domain.usage.received_members import Members, received_members
from projections.identity.index import IdentityIndex

BLOCKS_KEPT_MAX: Final = 16
_LOCATED: Final = ("source", "id", "subject", "time")


class LocatedEvent(msgspec.Struct, frozen=True):
    """The identity, the customer and the time (naive UTC) of the event at a locator."""

    locator: int
    scope: Scope
    source: str
    id: str
    subject: str
    time: datetime


class EventLookup:
    """Reads events of the log by locator. Caches the last `BLOCKS_KEPT_MAX` decoded blocks."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._blocks: OrderedDict[int, tuple[Scope, pa.RecordBatch]] = OrderedDict()
        #: Of the event that was asked for last: a sender may repeat a conflicting event.
        self._last_identity: tuple[int, tuple[Scope, str, str]] | None = None

    def at(self, locator: int) -> LocatedEvent:
        """The event at a locator. `LogCorrupted` when there is no usage block at its position."""
        scope, typed = self._block(position_of(locator))
        row = row_of(locator)
        source, event_id, subject, time = (typed.column(name)[row].as_py() for name in _LOCATED)
        return LocatedEvent(locator, scope, source, event_id, subject, time)

    def identity_at(self, locator: int) -> tuple[Scope, str, str]:
        """The scope, source and id of the event at a locator; errors as in `at`."""
        if self._last_identity is None or self._last_identity[0] != locator:
            scope, typed = self._block(position_of(locator))
            row = row_of(locator)
            source, event_id = typed.column("source")[row].as_py(), typed.column("id")[row].as_py()
            self._last_identity = locator, (scope, source, event_id)
        return self._last_identity[1]

    def members(self, locator: int) -> Members | None:
        """What the event at a locator said when it was received; None when intake rejected it."""
        _, typed = self._block(position_of(locator))
        row = row_of(locator)
        if typed.column("reason")[row].is_valid:
            return None
        free = decode_free(self._record(position_of(locator)).state)
        columns = {name: typed.column(name)[row].as_py() for name in typed.schema.names}
        return received_members(columns | {name: free.column(name)[row].as_py() for name in free.schema.names})

    def find(
        self, index: IdentityIndex, hash_seed: int, scope: Scope, source: str, event_id: str
    ) -> LocatedEvent | None:
        """The event counted under an identity; None when none was."""
        hashed = np.array([identity_hash(hash_seed, scope, source, event_id)], dtype=np.uint64)
        for _, locator in index.lookup(hashed).of_row(0):
            event = self.at(locator)
            if (event.scope, event.source, event.id) == (scope, source, event_id):
                return event
        return None

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
        if not records or records[0].position != position or records[0].topic != USAGE_BATCH_TOPIC:
            raise LogCorrupted(f"log position {position} holds no usage batch, though the identity index points there")
        return records[0]
