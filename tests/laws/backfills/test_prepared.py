"""Law: a commit or revert that was prepared changes the store as one that the fold works out by itself."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backfills.backfill_range import BackfillMode
from projections.duckdb.verification.comparison import LOGICAL_VIEWS, inner_differences, logical_view
from tests.laws.backfills.test_commit_and_revert import DRAWN, LOGS, RUNS, WIDE, Drawn, events_of
from tests.laws.laboratory import EXAMPLES_TIMES
from tests.projections.folded_log import FoldedLog
from tests.projections.folding.backfills.conftest import Backfilled
from tests.projections.folding.backfills.prepared_log import Prepared
from tests.projections.generated_logs import Entry, write_entries

#: What comes while a change is prepared: often nothing.
MEANWHILE: Final[st.SearchStrategy[list[Entry]]] = st.one_of(st.just([]), LOGS)


def contents(log: FoldedLog) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the store tells, after asserting that its sums are those of its rows."""
    assert list(inner_differences(log.cursor, "read_store")) == []
    return {view: sorted(log.ask(logical_view(log.cursor, view, "read_store")), key=repr) for view in LOGICAL_VIEWS}


@settings(RUNS, max_examples=12 * EXAMPLES_TIMES)
@given(LOGS, DRAWN, st.sampled_from(["add", "replace"]), MEANWHILE, MEANWHILE, LOGS)
def test_what_was_prepared_changes_the_store_as_the_fold_does(
    before: list[Entry],
    drawn: Drawn,
    mode: BackfillMode,
    commit_late: list[Entry],
    revert_late: list[Entry],
    after: list[Entry],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        prepared, plain = Prepared(Path(folder) / "prepared"), Backfilled(Path(folder) / "plain")
        for log in (prepared, plain):
            write_entries(log, before)
            log.open("law", mode, WIDE)
            log.load("law", events_of(drawn))
        at = plain.log.head_position()
        prepared.meanwhile = lambda: write_entries(prepared, commit_late)
        prepared.commit("law", at)
        plain.fold()
        write_entries(plain, commit_late)
        plain.commit("law", at)
        assert contents(prepared) == contents(plain)
        prepared.meanwhile = lambda: write_entries(prepared, revert_late)
        prepared.revert("law")
        write_entries(plain, revert_late)
        plain.revert("law")
        assert contents(prepared) == contents(plain)
        for log in (prepared, plain):
            write_entries(log, after)
            log.fold()
        assert contents(prepared) == contents(plain)
        for log in (prepared, plain):
            log.close()
