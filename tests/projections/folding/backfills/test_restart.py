"""A fold that goes on after a restart decides as the one that was never interrupted."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from domain.corrections.commands import VoidUsage
from domain.scope import DEFAULT_SCOPE
from projections.folding.projector import Projector
from projections.folding.recovery import catch_up_index
from projections.identity.index import IdentityIndex
from tests.projections.folded_log import BY_TEST, LOG_ID, SEED, usage
from tests.projections.folding.backfills.conftest import Backfilled


def restart(folded: Backfilled) -> None:
    """Go on with the store as it is, and an index that knows nothing of it."""
    folder = Path(tempfile.mkdtemp(dir=folded.folder))
    folded.index.close()
    folded.index = IdentityIndex.open(folder, LOG_ID)
    catch_up_index(folded.index, folder, folded.log, folded.store)
    folded.projector = Projector(folded.log, folded.store, folded.index, folded.keys)
    folded.projector.restore_seed(SEED)


def open_and_load(folded: Backfilled) -> None:
    folded.open("march", "replace")
    folded.load("march", [usage("1", input_tokens=5), usage("3")])
    folded.fold()


def commit(folded: Backfilled) -> None:
    folded.commit("march")


def repeat_what_was_loaded(folded: Backfilled) -> None:
    folded.deliver([usage("3"), usage("1", input_tokens=5), usage("2")])
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    folded.fold()


def revert(folded: Backfilled) -> None:
    folded.revert("march")


def repeat_everything(folded: Backfilled) -> None:
    folded.deliver([usage("1"), usage("2"), usage("3"), usage("1", input_tokens=5)])
    folded.fold()


STEPS: list[Callable[[Backfilled], None]] = [
    open_and_load,
    commit,
    repeat_what_was_loaded,
    revert,
    repeat_everything,
]


@pytest.fixture
def uninterrupted(tmp_path: Path) -> Iterator[Backfilled]:
    with closing(Backfilled(tmp_path / "uninterrupted")) as folded:
        folded.deliver([usage("1"), usage("2")])
        for step in STEPS:
            step(folded)
        yield folded


def test_nothing_changes_by_restarts_between_any_steps(folded: Backfilled, uninterrupted: Backfilled) -> None:
    folded.deliver([usage("1"), usage("2")])
    for step in STEPS:
        folded.fold()
        restart(folded)
        step(folded)
    everything = "SELECT * FROM outcomes ORDER BY locator, decided_at"
    assert folded.ask(everything) == uninterrupted.ask(everything)
    versions = "SELECT id, counted_at, closed_at, input_tokens FROM usage_rows ORDER BY ALL"
    assert folded.ask(versions) == uninterrupted.ask(versions)
    assert (folded.totals(), folded.sums()) == (uninterrupted.totals(), uninterrupted.sums())
    assert folded.totals() == (3, 4, 2, 0, 2)
