"""An event is found by its location in its last version, whichever tables its versions are in."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from domain.corrections.commands import RestoreUsage, VoidUsage
from domain.scope import DEFAULT_SCOPE
from domain.usage.locators import locator_of
from projections.duckdb.reading.snapshot import DuckDBReads
from projections.duckdb.storage.compaction import Compaction
from projections.duckdb.storage.generations import GENERATION_KINDS
from projections.queries.events import EventLocation, UsageEventRow
from tests.projections.folded_log import BY_TEST, START, FoldedLog, usage


def compact(folded: FoldedLog) -> None:
    compaction = Compaction(folded.database.cursor(), nullcontext, folded.store.load_generations)
    for kind in GENERATION_KINDS:
        compaction.sort(kind, 1)
    compaction.close()


def test_an_event_is_found_in_its_last_version_before_and_after_every_compaction(tmp_path: Path) -> None:
    folded = FoldedLog(tmp_path / "read")
    reads = DuckDBReads(folded.database.cursor, folded.store.changes)
    others = [usage(f"other-{n}", customer=f"c-{n % 9}") for n in range(50)]
    position = folded.deliver([usage("1"), *others])
    location = EventLocation(locator_of(position, 0), "acme", START)
    tables: set[int] = set()

    def check(voided: bool) -> None:
        folded.fold()
        for _ in range(2):
            with reads.snapshot() as snapshot:
                tables.add(len(snapshot._row_tables(location.locator)))
                found = snapshot.event_located(DEFAULT_SCOPE, location)
                scanned = snapshot.event(DEFAULT_SCOPE, "gateway", "1")
                earlier = snapshot.as_of(position).event_located(DEFAULT_SCOPE, location)
            assert isinstance(found, UsageEventRow)
            assert (found, found.voided) == (scanned, voided)
            assert earlier is not None
            assert not earlier.voided
            compact(folded)

    check(voided=False)
    for number in range(3):
        folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
        check(voided=True)
        folded.commands.handle(RestoreUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
        folded.deliver([usage(f"later-{number}-{n}") for n in range(20)])
        check(voided=False)
    folded.close()
    assert max(tables) > 1
