"""Laws of backfills: a commit is a delivery, a replacement a right first delivery, and a revert leaves nothing."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.backfills.backfill_range import BackfillMode, BackfillRange
from tests.laws.laboratory import EXAMPLES_TIMES
from tests.projections.folded_log import START, FoldedLog, usage
from tests.projections.folding.backfills.conftest import Backfilled
from tests.projections.generated_logs import Entry, generated_logs, write_entries

WIDE: Final = BackfillRange(START - timedelta(days=3), START + timedelta(hours=1))
OF_BACKFILLS: Final = ("load", "replace by a backfill", "backfill", "revert a backfill")
RUNS: Final = settings(
    max_examples=20 * EXAMPLES_TIMES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

Drawn = list[tuple[int, int]]
DRAWN: Final = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2)), min_size=1, max_size=8)
LOGS: Final = generated_logs(10).map(lambda entries: [entry for entry in entries if entry[0] not in OF_BACKFILLS])
#: What may come after a commit and after a delivery alike. The entry "replace", which the other has in it, looks its
#: events up among the live deliveries of a log: it writes something else behind a backfill than behind a delivery.
OF_LIVE_DELIVERIES: Final = ("replace", "amend by filter and revert")
LOGS_AFTER: Final = LOGS.map(lambda entries: [entry for entry in entries if entry[0] not in OF_LIVE_DELIVERIES])
#: What may come between a commit and its revert: deliveries and voids, which no price or fact decides.
MEANWHILE: Final = st.lists(
    st.one_of(
        st.tuples(st.just("usage"), st.just(0), DRAWN),
        st.tuples(st.sampled_from(["void", "restore"]), st.just(0), st.integers(0, 7)),
    ),
    max_size=5,
)

#: What decides the costs of events that a replacement withdrew, among everything else.
PRICES: Final = ("set a price", "set a price of a customer", "list a price")
LOGS_WITH_PRICES: Final = st.tuples(
    LOGS, st.lists(st.tuples(st.sampled_from(PRICES), st.integers(0, 7), st.integers(0, 7)), max_size=6)
).map(lambda entries: [*entries[0], *entries[1]])


def events_of(drawn: Drawn) -> list[dict[str, Any] | bytes]:
    """Events that may meet those of generated logs."""
    return [
        usage(f"e-{which}", f"c-{which % 4}", START - timedelta(hours=7 * which), input_tokens=1000 + variant)
        for which, variant in drawn
    ]


def held(log: FoldedLog) -> list[tuple[Any, ...]]:
    """Everything that counts, after asserting that days and rows agree."""
    log.sums()
    return log.ask(
        """SELECT s.tenant, s.environment, customer_id, r.source, r.id, time, input_tokens, cost_usd, cost_origin
        FROM usage_rows r JOIN customers USING (customer_key) JOIN scopes s ON s.scope_key = r.scope_key
        WHERE closed_at IS NULL ORDER BY ALL"""
    )


@RUNS
@given(LOGS, DRAWN, LOGS_AFTER)
def test_a_commit_is_a_delivery_of_what_was_loaded(before: list[Entry], drawn: Drawn, after: list[Entry]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        loaded, live = Backfilled(Path(folder) / "loaded"), Backfilled(Path(folder) / "live")
        for log in (loaded, live):
            write_entries(log, before)
        loaded.backfilled("law", events_of(drawn))
        live.deliver(events_of(drawn))
        for log in (loaded, live):
            write_entries(log, after)
            log.fold()
        assert held(loaded) == held(live)
        assert loaded.totals() == live.totals()
        for log in (loaded, live):
            log.close()


@RUNS
@given(DRAWN, DRAWN, MEANWHILE)
def test_a_replacement_is_a_right_first_delivery(wrong: Drawn, right: Drawn, after: list[Entry]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        mended, first = Backfilled(Path(folder) / "mended"), Backfilled(Path(folder) / "first")
        taken = {which for which, _ in right}
        sent = [one for one in wrong if one[0] in taken]
        if sent:  # a block is never empty
            mended.deliver(events_of(sent))
        mended.open("law", "replace", WIDE)
        mended.load("law", events_of(right))
        mended.commit("law")
        first.deliver(events_of(right))
        for log in (mended, first):
            write_entries(log, after)
            log.fold()
        assert held(mended) == held(first)
        for log in (mended, first):
            log.close()


@RUNS
@given(LOGS, DRAWN, MEANWHILE, st.sampled_from(["add", "replace"]), MEANWHILE)
def test_after_a_revert_it_is_as_if_nothing_had_been_loaded(
    before: list[Entry], drawn: Drawn, meanwhile: list[Entry], mode: BackfillMode, after: list[Entry]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        reverted, never = Backfilled(Path(folder) / "reverted"), Backfilled(Path(folder) / "never")
        for log in (reverted, never):
            write_entries(log, before)
        reverted.open("law", mode, WIDE)
        reverted.load("law", events_of(drawn))
        reverted.commit("law")
        for log in (reverted, never):
            write_entries(log, meanwhile)
        reverted.fold()
        reverted.revert("law")
        for log in (reverted, never):
            write_entries(log, after)
            log.fold()
        assert held(reverted) == held(never)
        assert reverted.totals()[:3] == never.totals()[:3]
        for log in (reverted, never):
            log.close()


@RUNS
@given(LOGS, DRAWN, st.sampled_from(["add", "replace"]), LOGS_WITH_PRICES)
def test_the_told_differences_are_those_of_the_sums(
    before: list[Entry], drawn: Drawn, mode: BackfillMode, meanwhile: list[Entry]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Backfilled(Path(folder))
        write_entries(log, before)
        log.open("law", mode, WIDE)
        log.load("law", events_of(drawn))
        log.fold()
        for change in (log.commit, log.revert):
            cost, unknown = raw_cost(log)
            position = change("law")
            now, unknown_now = raw_cost(log)
            told = log.ask("SELECT difference_usd, cost_unknown_events FROM backfills WHERE position = ?", position)
            assert told == [(now - cost, unknown_now - unknown)]
            write_entries(log, meanwhile)
            log.fold()
        log.close()


def raw_cost(log: FoldedLog) -> tuple[Decimal, int]:
    """The cost of everything that counts, and how many of these events it lacks."""
    sums = log.sums()
    return sum((Decimal(one[4]) for one in sums), Decimal(0)), sum(int(one[5]) for one in sums)
