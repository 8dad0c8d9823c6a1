"""The causes of a difference add up to it, whatever happened: to the last decimal, between any two points."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domain.customers.events import CustomerUpdated
from domain.prices.conversion import own_price_list
from domain.prices.events import PriceSet
from domain.prices.schedule import PriceVersion, UnitPrices
from domain.repricings.events import RepricingCommitted, RepricingOpened, RepricingReverted
from domain.repricings.repricing_range import RepricingRange
from domain.scope import DEFAULT_SCOPE, Scope
from projections.queries.snapshot import Snapshot
from projections.views.diff.causes import Cause
from projections.views.diff.difference import Difference, DifferenceQuestion, difference
from projections.views.diff.interval import Moment
from projections.views.measures import Measures
from projections.views.usage_report import UsageReportQuestion, usage_report
from tests.laws.laboratory import EXAMPLES_TIMES
from tests.projections.folded_log import START
from tests.projections.generated_logs import Entry, generated_logs, write_entries, writes_about_usage
from tests.projections.queries.store_under_test import DuckDBUnderTest

LATER: Final = START + timedelta(days=2)
#: The customers that generated logs name; None: all of them.
CUSTOMERS: Final = (None, "c-0", "c-1", "c-2", "c-3")
#: The scope that most of a log is about, and the other one.
ASKED: Final = ((DEFAULT_SCOPE, CUSTOMERS * 2), (Scope("other", "test"), (None,)))
HOURS: Final = st.integers(-80, 40)
LAW: Final = settings(
    deadline=None,
    max_examples=8 * EXAMPLES_TIMES,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


#: Facts about a customer that may move numbers, told from so many hours before the start on.
TOLD: Final = "told in the past"
FACTS: Final = st.sampled_from(
    (
        {"markup_percentage": "12.5"},
        {"markup_percentage": "33.333333"},
        {"markup_percentage": None},
        {"time_zone": "Asia/Kolkata"},
        {"usage_duration": "1w"},
        {"usage_duration": "36h", "usage_alignment": "anchored"},
    )
)


#: A run that gives every event the cost of another price, which is reverted or is not.
RERUN: Final = "re-priced by other prices"


def histories(entries_max: int) -> st.SearchStrategy[list[Entry]]:
    """Logs of what moves numbers most of the time, with a few entries of any kind."""
    told = st.tuples(st.just(TOLD), st.integers(0, 3), st.tuples(st.integers(-90, 20), FACTS))
    rerun = st.tuples(st.just(RERUN), st.integers(1, 9), st.booleans())
    moving = st.lists(st.one_of(writes_about_usage(), told, rerun), min_size=entries_max // 2, max_size=entries_max)
    return st.tuples(moving, generated_logs(4)).flatmap(lambda parts: st.permutations([*parts[0], *parts[1]]))


def write(store: DuckDBUnderTest, entry: Entry) -> None:
    name, number, rest = entry
    store.pass_time(minutes=1)
    if name == TOLD:
        tell(store, number, *rest)
    elif name == RERUN:
        reprice(store, number, rest)
    else:
        write_entries(store, [entry])


def tell(store: DuckDBUnderTest, number: int, hours: int, fields: dict[str, Any]) -> None:
    customer = {"tenant": DEFAULT_SCOPE.tenant, "environment": DEFAULT_SCOPE.environment, "customer_id": f"c-{number}"}
    stream = f"customer/{DEFAULT_SCOPE}/c-{number}"
    told: dict[str, Any] = {"effective_at": START + timedelta(hours=hours), "fields": fields}
    store.append(CustomerUpdated, stream, **customer, **told)


def reprice(store: DuckDBUnderTest, dollars: int, is_reverted: bool) -> None:
    scope = {"tenant": DEFAULT_SCOPE.tenant, "environment": DEFAULT_SCOPE.environment}
    prices = own_price_list(PriceVersion(None, UnitPrices(Decimal(dollars), Decimal(1))))
    for model in ("m-0", "m-1", "m-2"):
        store.append(
            PriceSet, f"price/{DEFAULT_SCOPE}/{model}", **scope, provider="nowhere", model=model, prices=prices
        )
    name = f"rerun-{store.log.head_position()}"
    stream, run = f"repricing/{DEFAULT_SCOPE}/{name}", {**scope, "name": name}
    opened = store.append(RepricingOpened, stream, **run, range=RepricingRange())
    store.append(RepricingCommitted, stream, **run, range=RepricingRange(), previewed_at=opened)
    if is_reverted:
        store.append(RepricingReverted, stream, **run)


@contextmanager
def folded(entries: Sequence[Entry], compacted: bool) -> Iterator[Snapshot]:
    with tempfile.TemporaryDirectory() as folder:
        store = DuckDBUnderTest(Path(folder))
        for entry in entries:
            write(store, entry)
        store.fold()
        if compacted:
            store.compact()
        with store.reads.snapshot() as snapshot:
            yield snapshot
        store.close()


@st.composite
def intervals(draw: st.DrawFn) -> tuple[datetime | None, datetime | None, Moment | None]:
    """Two instants, or a moment of the period that is asked about, or neither, for the current period."""
    moments = st.sampled_from((None, START - timedelta(hours=3), (START - timedelta(days=2)).date(), START.date()))
    start, hours = draw(HOURS), draw(st.integers(1, 90))
    which = draw(st.integers(0, 3))
    if which == 0:
        return None, None, draw(moments)
    if which < 3:
        return START - timedelta(days=30), START + timedelta(days=30), None
    return START + timedelta(hours=start), START + timedelta(hours=start + hours), None


def explained(
    snapshot: Snapshot, scope: Scope, question: DifferenceQuestion, until: int, limit: int
) -> tuple[Difference, list[Cause]]:
    """The difference as known at `until`, with the causes of all its pages."""
    known = snapshot.as_of(until)
    found = difference(known, scope, question, LATER, None, limit)
    assert found is not None
    causes, behind = list(found.causes), found.behind
    while behind is not None:
        page = difference(known, scope, question, LATER, behind, limit)
        assert page is not None
        assert (page.before, page.after, page.by_kind) == (found.before, found.after, found.by_kind)
        assert len(page.causes) <= limit
        causes += page.causes
        behind = page.behind
    return found, causes


def together(moved: Sequence[Measures]) -> Measures:
    return reduce(Measures.plus, moved, Measures())


def reported(snapshot: Snapshot, scope: Scope, customer: str | None, start: datetime, end: datetime) -> Measures:
    """What the usage question answers."""
    report = usage_report(snapshot, scope, UsageReportQuestion(customer, start, end), LATER)
    return Measures() if report is None else together([row.measures or Measures() for row in report.rows])


@LAW
@given(data=st.data(), entries=histories(30), compacted=st.booleans())
def test_causes_add_up_to_the_difference_of_what_usage_answers(
    data: st.DataObject, entries: list[Entry], compacted: bool
) -> None:
    with folded(entries, compacted) as snapshot:
        head = snapshot.point().position
        for scope, customers in ASKED:
            for customer in customers:
                since, until = data.draw(st.integers(0, head // 2)), data.draw(st.integers(head // 2, head))
                if customer is not None and snapshot.as_of(until).customer(scope, customer) is None:
                    continue
                start, end, period_of = data.draw(intervals())
                question = DifferenceQuestion(since, customer, start, end, period_of)
                found, causes = explained(snapshot, scope, question, until, data.draw(st.sampled_from((5, 1000))))
                for known in (found.before, found.after):
                    asked = snapshot.as_of(known.position)
                    assert known.usage == reported(asked, scope, customer, known.span.start, known.span.end)
                assert together([one.moved for one in found.by_kind]) == found.moved
                assert together([one.moved for one in causes]) == found.moved
                for of_kind in found.by_kind:
                    same = [one.moved for one in causes if (one.kind, one.run) == (of_kind.kind, of_kind.run)]
                    assert together(same) == of_kind.moved
                at = [one.at.values() for one in causes]
                assert at == sorted(set(at))
                assert all(since < one.at.position <= until for one in causes)
                assert all(one.kind != "changed" for one in causes)  # every topic of these logs has a name


@LAW
@given(data=st.data(), entries=histories(24))
def test_differences_of_adjacent_spans_of_the_log_add_up(data: st.DataObject, entries: list[Entry]) -> None:
    with folded(entries, compacted=False) as snapshot:
        head = snapshot.point().position
        first, second, third = sorted(data.draw(st.integers(0, head)) for _ in range(3))
        start, end = START - timedelta(days=30), START + timedelta(days=30)
        for customer in CUSTOMERS:
            if customer is not None and snapshot.as_of(second).customer(DEFAULT_SCOPE, customer) is None:
                continue
            moved = [
                explained(snapshot, DEFAULT_SCOPE, DifferenceQuestion(since, customer, start, end), until, 100)
                for since, until in ((first, second), (second, third), (first, third))
            ]
            (one, causes_of_one), (other, causes_of_other), (both, causes_of_both) = moved
            assert one.moved.plus(other.moved) == both.moved
            at = [
                [cause.at for cause in causes if cause.kind != "markup"] for causes in (causes_of_one, causes_of_other)
            ]
            assert at[0] + at[1] == [cause.at for cause in causes_of_both if cause.kind != "markup"]


@LAW
@given(data=st.data(), entries=generated_logs(10))
def test_between_a_point_and_itself_nothing_moved(data: st.DataObject, entries: list[Entry]) -> None:
    with folded(entries, compacted=False) as snapshot:
        at = data.draw(st.integers(0, snapshot.point().position))
        start, end, period_of = data.draw(intervals())
        question = DifferenceQuestion(at, None, start, end, period_of)
        found, causes = explained(snapshot, DEFAULT_SCOPE, question, at, 100)
    assert (found.moved, found.by_kind, causes) == (Measures(), (), [])
