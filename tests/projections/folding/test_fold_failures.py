"""A fold step that fails before or after its commit loses nothing and counts nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from domain.customers.commands import CreateCustomer
from domain.scope import DEFAULT_SCOPE
from projections.duckdb.reading.snapshot import DuckDBReads
from projections.duckdb.writing.fold_store import DuckDBFoldStore
from projections.folding.fold_state import FoldState
from projections.folding.projector import Projector
from projections.identity.entries import U64
from projections.identity.index import IdentityIndex
from projections.views.current_usage import current_usage
from tests.projections.folded_log import BY_TEST, LOG_ID, START, FoldedLog, usage


class FailingIndex(IdentityIndex):
    """An index that raises `MemoryError` while `out_of_memory` is set."""

    out_of_memory = False

    def add(self, hashes: U64, digests: U64, locators: U64, up_to_position: int, running_hash: bytes) -> None:
        if self.out_of_memory:
            raise MemoryError("no room for claims")
        super().add(hashes, digests, locators, up_to_position, running_hash)


@pytest.fixture
def folded(tmp_path: Path) -> Iterator[FoldedLog]:
    log = FoldedLog(tmp_path / "read")
    yield log
    log.close()


@pytest.fixture
def failing(folded: FoldedLog, tmp_path: Path) -> FailingIndex:
    """A failing index that `folded` uses from now on."""
    index = FailingIndex.open(tmp_path / "failing", LOG_ID)
    assert isinstance(index, FailingIndex)
    folded.projector = Projector(folded.log, folded.store, index, folded.keys)
    return index


def test_claims_that_the_index_refused_are_in_it_before_anything_else_is_folded(
    folded: FoldedLog, failing: FailingIndex
) -> None:
    folded.fold()
    failing.out_of_memory = True
    position = folded.deliver([usage("1"), usage("2")])
    with pytest.raises(MemoryError):
        folded.fold()
    assert folded.projector.position < position
    assert folded.projector.failure == "MemoryError: no room for claims"
    folded.deliver([usage("2"), usage("3")])
    with pytest.raises(MemoryError):
        folded.fold()
    failing.out_of_memory = False
    folded.fold()
    assert folded.outcomes() == [("2", "duplicate", None)]
    assert [row[:2] for row in folded.sums()] == [("acme", 3)]
    assert folded.projector.failure is None


def test_threads_waiting_for_a_step_wake_after_its_late_claims(folded: FoldedLog, failing: FailingIndex) -> None:
    failing.out_of_memory = True
    position = folded.deliver([usage("1")])
    with pytest.raises(MemoryError):
        folded.fold()
    failing.out_of_memory = False
    folded.fold()
    assert folded.projector.wait_for(position, 0)


def test_a_listener_that_failed_gets_the_same_events_again(folded: FoldedLog) -> None:
    heard: list[int] = []

    def listen(events: object) -> None:
        heard.append(folded.projector.position)
        if len(heard) == 1:
            raise OSError("not now")

    folded.fold()
    folded.projector.on_lifecycle = listen
    folded.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme"))
    before = folded.projector.position
    with pytest.raises(OSError, match="not now"):
        folded.fold()
    folded.fold()
    assert heard == [before, before]
    assert folded.projector.position == before + 1


class FailingStore(DuckDBFoldStore):
    """A store whose methods named in `failures` raise `OSError`, once per name."""

    failures: ClassVar[list[str]] = []

    def commit(self) -> None:
        self._fail("commit")
        super().commit()

    def rollback(self) -> None:
        self._fail("rollback")
        super().rollback()

    def load_state(self) -> FoldState:
        self._fail("load_state")
        return super().load_state()

    def _fail(self, name: str) -> None:
        if name in self.failures:
            self.failures.remove(name)
            raise OSError(f"no room to {name}")


@pytest.mark.parametrize("failures", [["rollback"], ["load_state"], ["rollback", "load_state"], ["load_state"] * 3])
def test_a_step_whose_rollback_failed_is_folded_at_the_next_attempt(folded: FoldedLog, failures: list[str]) -> None:
    folded.deliver([usage("1")])
    folded.fold()
    store = FailingStore(folded.cursor)
    folded.projector = Projector(folded.log, store, folded.index, folded.keys)
    position = folded.deliver([usage("2"), usage("1")])
    FailingStore.failures[:] = ["commit", *failures]
    for _ in failures:
        with pytest.raises(OSError, match="no room"):
            folded.fold()
        assert folded.projector.position < position
    folded.deliver([usage("3")])
    folded.fold()
    assert FailingStore.failures == []
    assert [row[:2] for row in folded.sums()] == [("acme", 3)]
    assert folded.outcomes() == [("1", "duplicate", None)]
    with DuckDBReads(folded.database.cursor, store.changes).snapshot() as snapshot:
        usage_now = current_usage(snapshot, DEFAULT_SCOPE, "acme", START + timedelta(hours=1))
    assert usage_now is not None
    assert usage_now.usage.requests == 3
