"""Any read store returns pages of counted events in every order, with their total number."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.corrections.commands import VoidUsage
from domain.customers.commands import CreateCustomer
from domain.errors import InvalidInput
from domain.scope import DEFAULT_SCOPE, Scope
from domain.values.money import marked_up
from projections.queries.events import EventFilter, EventOrder, EventQuestion, EventWithMarkup
from projections.queries.snapshot import PAGE_ROWS_MAX
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.queries.store_under_test import StoreUnderTest

#: From when on customer "a" pays 10% more.
MARKED_FROM: Final = START - timedelta(hours=50)
#: Every example has one of its own.
_TENANTS: Final = count()
ALL: Final = EventQuestion(EventFilter())

_KEYS: Final[dict[EventOrder, Callable[[EventWithMarkup], Any]]] = {
    "time": lambda one: one.event.time,
    "ended_at": lambda one: one.event.time + timedelta(microseconds=one.event.latency_us or 0),
    "total_tokens": lambda one: one.event.input_tokens + one.event.output_tokens,
    "reported_cost_usd": lambda one: reported(one),
}
_EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "customer": st.sampled_from("abc"),
            "hours": st.integers(0, 100),
            "cost_usd": st.sampled_from([None, "0", "0.1", "0.11", "3", "999999999999999.999999999999"]),
            "latency_ms": st.sampled_from([None, 0, 7_200_000, 10**12 - 1]),
            "output_tokens": st.integers(0, 3),
        }
    ),
    min_size=1,
    max_size=20,
)
_BOUNDS = st.sampled_from([None, *map(Decimal, ("-1", "0.11", "0.1100000000000000000000001", "3.3", "1e30"))])


def reported(one: EventWithMarkup) -> Decimal:
    return marked_up(one.event.cost_usd or Decimal(0), one.markup_percentage)


def ids(store: StoreUnderTest, question: EventQuestion, offset: int = 0, limit: int = 9) -> list[str]:
    with store.reads.snapshot() as snapshot:
        return [one.event.id for one in snapshot.event_page(DEFAULT_SCOPE, question, offset, limit).events]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=_EVENTS,
    order=st.sampled_from(list(_KEYS)),
    descending=st.booleans(),
    limit=st.integers(1, 8),
    low=_BOUNDS,
    high=_BOUNDS,
    customer=st.sampled_from([None, "a"]),
)
def test_pages_are_pieces_of_all_that_fits_in_its_order(
    store_under_test: StoreUnderTest,
    sent: list[dict[str, Any]],
    order: EventOrder,
    descending: bool,
    limit: int,
    low: Decimal | None,
    high: Decimal | None,
    customer: str | None,
) -> None:
    store, scope = store_under_test, Scope(f"tenant-{next(_TENANTS)}", "test")
    markup = {"markup_percentage": "10"}
    store.commands.handle(CreateCustomer(scope, BY_TEST, "a", markup, effective_at=MARKED_FROM))
    store.deliver(
        [
            usage(str(number), one["customer"], START - timedelta(hours=one["hours"]), cost_usd=one["cost_usd"],
                latency_ms=one["latency_ms"], output_tokens=one["output_tokens"])
            for number, one in enumerate(sent)
        ],
        scope,
    )  # fmt: skip
    store.fold()
    where = EventFilter(customer_id=customer)
    question = EventQuestion(where, order, descending, reported_min_usd=low, reported_max_usd=high)
    with store.reads.snapshot() as snapshot:
        everything = [
            EventWithMarkup(one, Decimal(10 if one.customer_id == "a" and one.time >= MARKED_FROM else 0))
            for one in snapshot.events(scope, where, None, PAGE_ROWS_MAX)
        ]
        fitting = [one for one in everything if low is None or reported(one) >= low]
        expected = sorted(
            (one for one in fitting if high is None or reported(one) <= high),
            key=lambda one: (_KEYS[order](one), one.event.locator),
            reverse=descending,
        )
        pages = [snapshot.event_page(scope, question, offset, limit) for offset in range(0, len(sent) + limit, limit)]
    assert {page.total for page in pages} == {len(expected)}
    assert [one for page in pages for one in page.events] == expected


def test_an_event_is_found_by_properties_and_by_its_known_as_text(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.deliver(
        [
            usage("1", key="k", answer="x"), usage("2", key="k"), usage("3", key=None), usage("4", "beta", key="k"),
            usage("5", answer="2"), usage("6", answer=""),
        ]
    )  # fmt: skip
    store.fold()
    of_key = EventQuestion(EventFilter(), descending=False, properties=(("key", "k"),))
    acme = EventQuestion(EventFilter(customer_id="acme"), properties=(("key", "k"), ("answer", "x")))
    assert [ids(store, of_key), ids(store, of_key, 1, 1), ids(store, acme)] == [["1", "2", "4"], ["2"], ["1"]]
    known = {name: ids(store, EventQuestion(EventFilter(), known_as=("answer", name))) for name in ("x", "1", "2", "6")}
    assert known == {"x": ["1"], "1": [], "2": ["5", "2"], "6": ["6"]}


def test_voided_events_and_those_of_others_are_on_no_page(store_under_test: StoreUnderTest) -> None:
    store = store_under_test
    store.deliver([usage("1"), usage("2"), usage("3", at=START - timedelta(days=3))])
    store.deliver([usage("4")], scope=Scope("other", "prod"))
    store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    store.fold()
    with_voided = EventQuestion(EventFilter(include_voided=True))
    assert [ids(store, ALL), ids(store, with_voided)] == [["2", "3"]] * 2
    assert ids(store, EventQuestion(EventFilter(customer_id="nobody"))) == []


def test_a_page_of_events_has_a_bound(store_under_test: StoreUnderTest) -> None:
    with store_under_test.reads.snapshot() as snapshot, pytest.raises(InvalidInput, match="limit"):
        snapshot.event_page(DEFAULT_SCOPE, ALL, 0, PAGE_ROWS_MAX + 1)
