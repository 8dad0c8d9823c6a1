"""A log whose backfills are committed and reverted with what was prepared beforehand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from domain.scope import DEFAULT_SCOPE
from projections.duckdb.read_store import DuckDBReadStore
from projections.folding.backfills.prepared import PreparedChange
from projections.read_side.loaded_events import LoadedEvents
from projections.read_side.prepared_changes import AskedCommit, ChangePreparation
from tests.projections.folded_log import SEED
from tests.projections.folding.backfills.conftest import Backfilled


class Prepared(Backfilled):
    """Prepares each commit and revert before its record is written. `meanwhile` runs in between."""

    attached = 0
    meanwhile: Callable[[], object] | None = None

    def commit(self, name: str, previewed_at: int | None = None) -> int:
        self.fold()
        at = self.log.head_position() if previewed_at is None else previewed_at
        blocks = self.loaded_blocks(name)
        asked = AskedCommit(DEFAULT_SCOPE, name, at, blocks)
        return self._with_prepared(lambda one: one.commit(asked), lambda: super(Prepared, self).commit(name, at))

    def revert(self, name: str) -> int:
        return self._with_prepared(
            lambda one: one.revert(DEFAULT_SCOPE, name), lambda: super(Prepared, self).revert(name)
        )

    def _with_prepared(
        self, prepare: Callable[[ChangePreparation], PreparedChange | None], change: Callable[[], int]
    ) -> int:
        store = DuckDBReadStore(self.database, self.store)
        self.projector.prepared.begin()
        with store.preparation(nullcontext) as writes:
            tried = LoadedEvents(self.log, SEED, lambda: self.index)
            ready = prepare(ChangePreparation(store.reads, tried, writes, events_min=1))
            if self.meanwhile is not None:
                self.meanwhile()
                self.fold()
            kept = ready is not None and self.projector.prepared.keep(ready)
            position = change()
            if ready is not None:
                attached = {name for (name,) in self.ask("SELECT name FROM generations")}
                self.attached += ready.tables[0].days in attached
                assert kept or ready.tables[0].days not in attached
                writes.drop(*ready.tables)
        self.projector.prepared.end()
        return position
