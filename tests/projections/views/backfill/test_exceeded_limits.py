"""The preview of a backfill tells which limits in money its commit would make customers reach."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backfills.backfill_range import BackfillMode, BackfillRange
from domain.budgets.access_decision import decide_access
from domain.budgets.commands import CreateBudget
from domain.customers.commands import CreateCustomer, DeleteCustomer, UpdateCustomer
from domain.scope import DEFAULT_SCOPE
from domain.values.periods import Interval
from projections.views.backfill.exceeded_limits import INSTANTS_MAX, ExceededLimit, ExceededLimits
from projections.views.budget_state import budget_state
from tests.laws.laboratory import EXAMPLES_TIMES
from tests.projections.folded_log import BY_TEST, usage
from tests.projections.read_side.test_loaded_events import NOW, Tried

JANUARY: Final = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY: Final = datetime(2026, 2, 1, tzinfo=UTC)
MARCH: Final = datetime(2026, 3, 1, tzinfo=UTC)
QUARTER: Final = BackfillRange(JANUARY, datetime(2026, 4, 1, tzinfo=UTC))
DAY: Final = timedelta(days=1)
MICROSECOND: Final = timedelta(microseconds=1)


@pytest.fixture
def tried(tmp_path: Path) -> Iterator[Tried]:
    tried = Tried(tmp_path / "tried", QUARTER, "add")
    tried.log.now = JANUARY
    yield tried
    tried.log.close()


def create(tried: Tried, customer: str = "acme", **fields: Any) -> None:
    tried.log.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, customer, fields))


def deliver(tried: Tried, *events: dict[str, Any] | bytes) -> None:
    tried.log.now = NOW - DAY
    tried.log.deliver(events)


def exceeded(tried: Tried, *events: dict[str, Any] | bytes) -> ExceededLimits:
    tried.log.now = NOW - DAY
    tried.open()
    tried.log.load("tried", events)
    return tried.effect()[1].exceeded


def test_a_limit_of_an_ended_period_is_told_with_its_markup(tried: Tried) -> None:
    create(tried, period_limit_usd="9", budget_duration="1mo", markup_percentage="50")
    deliver(tried, usage("1", at=JANUARY + DAY, cost_usd="5"), usage("2", at=FEBRUARY, cost_usd="5"))
    found = exceeded(tried, usage("3", at=JANUARY + 2 * DAY, cost_usd="1"), usage("4", at=MARCH, cost_usd="5.99"))
    period = Interval(JANUARY, FEBRUARY)
    assert found == ExceededLimits(
        (ExceededLimit("acme", 1, "period", period, Decimal(9), Decimal("7.5"), Decimal(9)),)
    )


def test_a_limit_that_is_reached_anyway_is_not_told(tried: Tried) -> None:
    create(tried, period_limit_usd="5", budget_duration="1mo")
    deliver(tried, usage("1", at=JANUARY + DAY, cost_usd="5"))
    assert exceeded(tried, usage("2", at=JANUARY + DAY, cost_usd="5")) == ExceededLimits()


def test_the_limit_in_force_at_the_end_of_its_period_counts(tried: Tried) -> None:
    create(tried, period_limit_usd="5", budget_duration="1mo")
    tried.log.now = JANUARY + 20 * DAY
    tried.log.commands.handle(UpdateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", changes={"period_limit_usd": "50"}))
    assert exceeded(tried, usage("1", at=JANUARY + DAY, cost_usd="5")) == ExceededLimits()


def test_limits_of_the_whole_life_are_told_once(tried: Tried) -> None:
    create(tried, total_limit_usd="10", soft_limit_usd="3")
    deliver(tried, usage("1", at=JANUARY + DAY, cost_usd="2"))
    loaded = [usage(f"{which}", at=JANUARY + 30 * which * DAY, cost_usd="4") for which in (0, 2)]
    amounts = Decimal(2), Decimal(10)
    assert exceeded(tried, *loaded).limits == (
        ExceededLimit("acme", 1, "total", None, Decimal(10), *amounts),
        ExceededLimit("acme", 1, "soft", None, Decimal(3), *amounts),
    )


def test_limits_of_models_have_their_own_periods(tried: Tried) -> None:
    limits = {"m-1": {"limit_usd": "3", "duration": "1d"}, "m-2": {"limit_usd": "1"}}
    create(tried, model_limits=limits, budget_duration="1mo")
    deliver(tried, usage("1", at=JANUARY + DAY, cost_usd="2"))
    found = exceeded(
        tried,
        usage("2", at=JANUARY + DAY, cost_usd="1"),
        usage("3", at=JANUARY + 3 * DAY, cost_usd="2.5"),
        usage("4", at=JANUARY + 4 * DAY, cost_usd="0.5"),
        usage("5", at=JANUARY + 4 * DAY, model="m-2", cost_usd="1"),
    )
    of_day, of_month = Interval(JANUARY + DAY, JANUARY + 2 * DAY), Interval(JANUARY, FEBRUARY)
    assert found.limits == (
        ExceededLimit("acme", 1, "model:m-1", of_day, Decimal(3), Decimal(2), Decimal(3)),
        ExceededLimit("acme", 1, "model:m-2", of_month, Decimal(1), Decimal(0), Decimal(1)),
    )


def test_the_limit_of_a_shared_budget_is_told(tried: Tried) -> None:
    tried.log.commands.handle(
        CreateBudget(DEFAULT_SCOPE, BY_TEST, "gold", {"period_limit_usd": "1", "budget_duration": "1mo"})
    )
    create(tried, budget_id="gold")
    [found] = exceeded(tried, usage("1", at=MARCH, cost_usd="1")).limits
    april = datetime(2026, 4, 1, tzinfo=UTC)
    assert found == ExceededLimit("acme", 1, "period", Interval(MARCH, april), Decimal(1), Decimal(0), Decimal(1))


def test_an_ended_life_has_its_own_limits(tried: Tried) -> None:
    create(tried, total_limit_usd="1")
    tried.log.now = FEBRUARY
    tried.log.commands.handle(DeleteCustomer(DEFAULT_SCOPE, BY_TEST, "acme", seen_at=FEBRUARY))
    tried.log.now = FEBRUARY + DAY
    create(tried, total_limit_usd="100")
    [found] = exceeded(
        tried, usage("1", at=JANUARY + DAY, cost_usd="2"), usage("2", at=FEBRUARY + 2 * DAY, cost_usd="50")
    ).limits
    assert (found.life, found.limit_usd, found.after_usd) == (1, Decimal(1), Decimal(2))


def test_more_periods_than_are_looked_at_are_told(tried: Tried) -> None:
    create(tried, period_limit_usd="1", budget_duration="1h")
    hours = [usage(f"{hour}", at=JANUARY + timedelta(hours=hour), cost_usd="1") for hour in range(INSTANTS_MAX + 5)]
    found = exceeded(tried, *hours)
    assert not found.complete
    starts = [one.period.start for one in found.limits if one.period is not None]
    assert (starts[-1], len(starts)) == (JANUARY + timedelta(hours=INSTANTS_MAX + 4), INSTANTS_MAX - 1)


LIMITS: Final = st.fixed_dictionaries(
    {},
    optional={
        "period_limit_usd": st.sampled_from(["1", "2", "4"]),
        "budget_duration": st.sampled_from(["1d", "7d", "1mo"]),
        "total_limit_usd": st.sampled_from(["3", "6"]),
        "soft_limit_usd": st.sampled_from(["2", "5"]),
        "model_limits": st.just({"m-1": {"limit_usd": "2", "duration": "1d"}, "m-2": {"limit_usd": "2"}}),
        "markup_percentage": st.sampled_from(["50", "-50"]),
    },
)
EVENTS: Final = st.lists(
    st.tuples(st.integers(0, 11), st.sampled_from(["m-1", "m-2"]), st.sampled_from(["0.5", "1", "2", None])),
    min_size=1,
    max_size=8,
    unique_by=lambda drawn: drawn[0],
)

Drawn = list[tuple[int, str, str | None]]
Reached = set[tuple[str, datetime | None]]


def events_of(drawn: Drawn, prefix: str) -> list[dict[str, Any] | bytes]:
    return [
        usage(f"{prefix}-{which}", at=JANUARY + timedelta(days=5, hours=9 * which), model=model, cost_usd=cost)
        for which, model, cost in drawn
    ]


def reached(tried: Tried, instants: list[datetime]) -> Reached:
    """The limits that are reached at the end of each of their periods, as budgets are asked for them."""
    found: Reached = set()
    with tried.reads.snapshot() as snapshot:
        for instant in instants:
            state = budget_state(snapshot, DEFAULT_SCOPE, "acme", instant)
            if state is None:
                continue
            decision = decide_access(known=True, blocked=False, limits=state.limits, spending=state.spending)
            for limit in decision.limits:
                of_life = limit.name == "total" or (limit.name == "soft" and not state.limits.soft_limit_per_period)
                resets_at = limit.resets_at
                if limit.name == "soft" and not of_life and state.period is not None:
                    resets_at = state.period.end
                ends = not of_life and resets_at is not None and (resets_at - MICROSECOND == instant or resets_at > NOW)
                if limit.reached and ((of_life and instant == NOW) or (ends and instant <= NOW)):
                    found.add((limit.name, None if of_life else resets_at))
    return found


@settings(max_examples=15 * EXAMPLES_TIMES, deadline=None)
@given(LIMITS, EVENTS, EVENTS, st.sampled_from(["add", "replace"]))
def test_what_a_preview_tells_of_limits_is_what_the_commit_makes_of_them(
    fields: dict[str, Any], live: Drawn, loaded: Drawn, mode: BackfillMode
) -> None:
    ends = [*range(6, 20), 31]  # of days and weeks with events, and of their month
    instants = [*(JANUARY + day * DAY - MICROSECOND for day in ends), NOW]
    with tempfile.TemporaryDirectory() as folder:
        tried = Tried(Path(folder), QUARTER, mode)
        tried.log.now = JANUARY
        create(tried, **fields)
        deliver(tried, *events_of(live, "live"))
        told = exceeded(tried, *events_of(loaded, "loaded"))
        before = reached(tried, instants)
        tried.log.commit("tried")
        assert told.complete
        assert {(one.name, None if one.period is None else one.period.end) for one in told.limits} == (
            reached(tried, instants) - before
        )
        tried.log.close()
