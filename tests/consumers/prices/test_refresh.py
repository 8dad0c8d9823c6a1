"""List prices are listed again where the library knows others, without a change of what is known already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from consumers.prices import refresh as refreshing
from consumers.prices.library import ResolvedPrices
from consumers.prices.listing import listing_record
from consumers.prices.refresh import PriceRefresh, PricesRefreshed
from domain.log.records import NewRecord
from domain.prices.price_list import PriceList, StandardRule, UnitRate
from domain.scope import DEFAULT_SCOPE, Scope
from tests.fakes.event_log import InMemoryEventLog
from tests.projections.folded_log import START, usage
from tests.projections.queries.store_under_test import DuckDBUnderTest


def price(dollars: str, release: str = "library 2") -> ResolvedPrices:
    rates = {unit: UnitRate(Decimal(dollars)) for unit in ("input_tokens", "output_tokens")}
    return ResolvedPrices(PriceList((StandardRule(rates),)), release, "maker/entry")


class Library:
    """Knows the models that it is told of."""

    def __init__(self, **known: str) -> None:
        self.known = known

    def __call__(self, provider: str | None, model: str) -> ResolvedPrices | None:
        return price(self.known[model]) if model in self.known and provider in (None, "maker") else None


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[DuckDBUnderTest]:
    store = DuckDBUnderTest(tmp_path / "read")
    yield store
    store.close()


def listed(store: DuckDBUnderTest, model: str, dollars: str) -> None:
    store.log.append([listing_record(("maker", model), price(dollars, "library 1"), 1, START)])


def used(store: DuckDBUnderTest, event_id: str, model: str, provider: str | None = "maker") -> None:
    store.deliver([usage(event_id, provider=provider, model=model)])


def costs(store: DuckDBUnderTest) -> dict[str, Decimal | None]:
    store.fold()
    rows = store.ask("SELECT id, cost_usd FROM usage_rows WHERE closed_at IS NULL ORDER BY id")
    return {event_id: None if cost is None else cost.normalize() for event_id, cost in rows}


def refreshed(store: DuckDBUnderTest, library: Library, **how: int) -> PricesRefreshed:
    store.fold()
    refresh = PriceRefresh(store.log, store.reads, library, lambda: store.now)
    return refresh.run(dry_run=bool(how.get("dry_run")), models_max=how.get("models_max"))


def test_a_changed_price_holds_for_events_counted_from_then_on(store: DuckDBUnderTest) -> None:
    listed(store, "changed", "1")
    used(store, "before", "changed")
    done = refreshed(store, Library(changed="2"))
    used(store, "after", "changed")
    assert costs(store) == {"before": Decimal("0.0011"), "after": Decimal("0.0022")}
    (change,) = done.changes
    assert (done.checked, done.changed, done.position) == (1, 1, 4)
    assert (change.library_before, change.library) == ("library 1", "library 2")
    assert (change.prices_before, change.prices) == (price("1").prices, price("2").prices)
    with store.reads.snapshot() as snapshot:
        shown = snapshot.prices(DEFAULT_SCOPE, None, None, None, 9)
    assert [(one.library, one.prices) for one in shown] == [
        ("library 1", price("1").prices),
        ("library 2", price("2").prices),
    ]


def test_a_model_that_had_no_price_gets_one_and_its_unknown_costs_are_filled(store: DuckDBUnderTest) -> None:
    used(store, "1", "new")
    used(store, "2", "new", provider=None)
    used(store, "3", "still unknown")
    done = refreshed(store, Library(new="3"))
    assert (done.checked, done.changed) == (3, 2)
    assert [(change.provider, change.prices_before) for change in done.changes] == [("", None), ("maker", None)]
    assert costs(store) == {"1": Decimal("0.0033"), "2": Decimal("0.0033"), "3": None}


def test_what_is_the_same_or_no_longer_known_stays_as_it_was_listed(store: DuckDBUnderTest) -> None:
    listed(store, "same", "1.0")
    listed(store, "gone", "1")
    head = store.log.head_position()
    assert refreshed(store, Library(same="1")) == PricesRefreshed(2, 0, (), None)
    assert store.log.head_position() == head


def test_a_dry_run_tells_the_changes_and_lists_nothing(store: DuckDBUnderTest) -> None:
    listed(store, "changed", "1")
    done = refreshed(store, Library(changed="2"), dry_run=1)
    assert (done.changed, done.position, store.log.head_position()) == (1, None, 2)
    assert refreshed(store, Library(changed="2")).changes == done.changes


def test_a_listing_that_is_not_folded_yet_is_not_written_again(store: DuckDBUnderTest) -> None:
    listed(store, "changed", "1")
    store.fold()
    refresh = PriceRefresh(store.log, store.reads, Library(changed="2"), lambda: store.now)
    assert [refresh.run().changed, refresh.run().changed, store.log.head_position()] == [1, 0, 3]


def test_models_are_read_page_by_page_and_the_answer_is_bounded(
    store: DuckDBUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refreshing, "PAGE_ROWS_MAX", 4)
    monkeypatch.setattr(refreshing, "CHANGES_SHOWN_MAX", 6)
    models = {f"m-{number}": "2" for number in range(10)}
    for model in models:
        listed(store, model, "1")
    some = refreshed(store, Library(**models), models_max=3)
    assert (some.checked, some.changed, some.position) == (3, 3, 14)
    done = refreshed(store, Library(**models))
    assert (done.checked, done.changed, len(done.changes), done.position) == (10, 7, 6, 21)


def test_a_cancelled_refresh_looks_nothing_up(store: DuckDBUnderTest) -> None:
    listed(store, "changed", "1")
    store.fold()
    refresh = PriceRefresh(store.log, store.reads, Library(changed="2"), lambda: store.now, lambda: True)
    assert refresh.run() == PricesRefreshed(0, 0, (), None)


class RacedLog(InMemoryEventLog):
    """Another writer lists a model just before the first append."""

    def __init__(self) -> None:
        super().__init__()
        self.rival: NewRecord | None = None

    def append(self, records: Sequence[NewRecord]) -> list[int]:
        rival, self.rival = self.rival, None
        if rival is not None:
            super().append([rival])
        return super().append(records)


@pytest.mark.parametrize(("rivals", "appended"), [("2", 1), ("9", 2)])
def test_of_two_writers_at_once_none_lists_a_price_twice(store: DuckDBUnderTest, rivals: str, appended: int) -> None:
    listed(store, "a", "1")
    listed(store, "b", "1")
    store.fold()
    log = RacedLog()
    log.append([NewRecord(one.stream, one.version, one.topic, one.state) for one in store.log.read(0, 9)])
    log.rival = listing_record(("maker", "a"), price(rivals), 2, START)
    done = PriceRefresh(log, store.reads, Library(a="2", b="2"), lambda: store.now).run()
    assert (done.changed, log.head_position(), done.position) == (2, 4 + appended, 4 + appended)


def test_a_scope_that_uses_a_model_later_does_not_see_what_was_listed_before(store: DuckDBUnderTest) -> None:
    listed(store, "shared", "1")
    store.deliver([usage("1", provider="maker", model="shared")], scope=Scope("other", "prod"))
    refreshed(store, Library(shared="2"))
    used(store, "mine", "shared")
    store.fold()
    with store.reads.snapshot() as snapshot:
        assert [one.library for one in snapshot.prices(DEFAULT_SCOPE, None, None, None, 9)] == ["library 2"]
        theirs = snapshot.prices(Scope("other", "prod"), None, None, None, 9)
    assert [one.library for one in theirs] == ["library 1", "library 2"]
