"""A projector leaves the same in every store as in the plain model, however it steps and whatever fails in between."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.folding.fold_store import FoldStore
from projections.folding.projector import STEP_EVENTS_MAX, Projector
from projections.identity.index import IdentityIndex
from tests.fakes.failing_calls import with_failing_calls
from tests.projections.folded_log import LOG_ID, WrittenLog
from tests.projections.folding.fold_store_contents import Contents
from tests.projections.folding.fold_store_under_test import IMPLEMENTATIONS, FoldStoreUnderTest, MemoryUnderTest
from tests.projections.generated_logs import Entry, generated_logs, write_entries

FAILURES_MAX = 8
#: Of the calls that a projector makes; the first one opens it.
FAILING_CALLS = st.sets(st.integers(1, 60), max_size=FAILURES_MAX)


def fold_whole(log: WrittenLog, store: FoldStore, step_events_max: int, step_records_max: int) -> None:
    """Fold a whole log by steps of these sizes, each repeated until it succeeds."""
    with tempfile.TemporaryDirectory() as folder:
        index = IdentityIndex.open(Path(folder), LOG_ID)
        projector = Projector(log.log, store, index, log.keys)
        projector.step_events_max = step_events_max
        for _ in range(log.log.head_position() + FAILURES_MAX):  # a step folds a record or fails
            with suppress(OSError):
                projector.step(until=projector.position + step_records_max)
        assert projector.position == log.log.head_position()
        index.close()


def folded(log: WrittenLog, under_test: FoldStoreUnderTest, failing: Collection[int], *step_sizes: int) -> Contents:
    """The contents of an empty store after the fold of a whole log."""
    fold_whole(log, with_failing_calls(under_test.store, failing), *step_sizes)
    contents = under_test.contents()
    under_test.close()
    return contents


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@settings(max_examples=14, deadline=None)
@given(
    entries=generated_logs(20),
    failing=FAILING_CALLS,
    step_events_max=st.sampled_from([1, 4, STEP_EVENTS_MAX]),
    step_records_max=st.sampled_from([1, 3, 1000]),
)
def test_a_store_ends_with_the_contents_of_the_model(
    name: str, entries: list[Entry], failing: set[int], step_events_max: int, step_records_max: int
) -> None:
    log = WrittenLog()
    write_entries(log, entries)
    model = folded(log, MemoryUnderTest(), (), STEP_EVENTS_MAX, 1000)
    assert folded(log, IMPLEMENTATIONS[name](), failing, step_events_max, step_records_max) == model
