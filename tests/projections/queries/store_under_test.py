"""The interface of a read store for the conformance suite: a log to write to, and reads after the fold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from consumers.commands.handler import CommandHandler
from domain.scope import DEFAULT_SCOPE, Scope
from projections.duckdb.reading.snapshot import DuckDBReads
from projections.queries.snapshot import ReadStore, ReceivedEvents
from projections.read_side.received_events import IndexedEvents
from tests.projections.folded_log import SEED, FoldedLog


class StoreUnderTest(Protocol):
    """Tests write to the log; `fold` brings the read store up to date with it."""

    now: datetime
    commands: CommandHandler

    @property
    def reads(self) -> ReadStore: ...

    def deliver(
        self,
        events: Sequence[dict[str, Any] | bytes],
        scope: Scope = DEFAULT_SCOPE,
        group: str | None = None,
        atomic: bool = False,
    ) -> int: ...

    def fold(self) -> None: ...

    def pass_time(self, **by: float) -> None: ...

    def close(self) -> None: ...


class DuckDBUnderTest(FoldedLog):
    @cached_property
    def reads(self) -> ReadStore:  # one for the whole test, with all that it remembers
        return DuckDBReads(self.database.cursor, self.store.changes)

    @cached_property
    def received(self) -> ReceivedEvents:
        return IndexedEvents(self.log, self.keys, SEED, lambda: self.index)
