"""A price book chooses for every event as the order of prices says, told here event by event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.prices.cost import event_cost
from domain.prices.discounts import discounted
from domain.prices.price_list import PriceList, StandardRule, UnitRate
from domain.usage.quantities import Quantities
from domain.values.instants import epoch_microseconds
from domain.values.money import MONEY
from projections.pricing.price_book import PriceBook, discount_lists
from projections.pricing.rules import DiscountRule, LifeEnded, PriceRule, PricingRecord

START = datetime(2026, 3, 1, tzinfo=UTC)
SCOPE, OTHER = 1, 2
KEYS = {(SCOPE, "ann"): 7, (SCOPE, "bob"): 3, (SCOPE, "cy"): 9, (OTHER, "ann"): 8}
#: The model of the events, another one, and every one.
MODELS = (("p", "m"), ("p", "other"), (None, None))
TOKENS = 1_000_000


class Event(msgspec.Struct, frozen=True):
    """An event of a customer of `SCOPE`, so many days after the start."""

    customer: str
    day: int

    @property
    def at(self) -> datetime:
        return START + timedelta(days=self.day)


class Answer(msgspec.Struct, frozen=True):
    """What made the cost of an event, and the cost."""

    price: int
    discounts: tuple[int, ...]
    cost: Decimal


def price_list(dollars: int, since: int | None) -> PriceList:
    start = None if since is None else START + timedelta(days=since)
    return PriceList((StandardRule({"input_tokens": UnitRate(Decimal(dollars))}, start),))


def priced(
    position: int, dollars: int, since: int | None = None, customer: str | None = None, life: int | None = None
) -> PriceRule:
    began = None if life is None else START + timedelta(days=life)
    return PriceRule(position, "p", "m", price_list(dollars, since), customer, began)


def discount(
    position: int, percentage: str, since: int | None = None, customer: str | None = None, model: str | None = "m"
) -> DiscountRule:
    start = None if since is None else START + timedelta(days=since)
    provider = None if model is None else "p"
    return DiscountRule(position, Decimal(percentage), start, provider, model, customer)


def ended(position: int, customer: str, day: int) -> LifeEnded:
    return LifeEnded(position, customer, START + timedelta(days=day))


def book_of(records: Sequence[tuple[int | None, PricingRecord]]) -> PriceBook:
    book = PriceBook(KEYS)
    for scope_key, record in records:
        book.add(scope_key, record)
    return book


def answers(book: PriceBook, events: Sequence[Event]) -> list[Answer | None]:
    """What the book says of all events, as columns."""
    times = np.array([epoch_microseconds(event.at) for event in events], dtype=np.int64)
    keys = np.array([KEYS[SCOPE, event.customer] for event in events], dtype=np.int64)
    tokens = np.full(len(events), TOKENS, dtype=np.int64)
    nothing = np.zeros(len(events), dtype=np.int64)
    found: list[Answer | None] = [None] * len(events)
    rows = list(book.costs(SCOPE, "p", "m", keys, times, Quantities((tokens, *(nothing,) * 4))))
    for one in rows:
        for index, cost in zip(one.indexes.tolist(), one.costs, strict=True):
            assert found[index] is None
            amount = Decimal(int(cost)).scaleb(-12, MONEY)
            found[index] = Answer(one.price_position, one.discount_positions, amount)
    lists = [tuple(one or ()) for one in discount_lists(len(events), rows).to_pylist()]
    assert lists == [() if one is None else one.discounts for one in found]
    return found


def told(records: Sequence[tuple[int | None, PricingRecord]], event: Event) -> Answer | None:
    """The same for one event, by the words of the rule."""
    discounts: list[DiscountRule] = []
    for scope_key, owner in ((SCOPE, event.customer), (SCOPE, None), (None, None)):
        rule = _holding([one for key, one in records if key == scope_key], owner, event, listed=scope_key is None)
        if isinstance(rule, PriceRule):
            at_discounts = discounted(rule.prices, [one.percentage for one in discounts])
            cost = event_cost(at_discounts, event.at, {"input_tokens": TOKENS})
            assert cost is not None
            return Answer(rule.position, tuple(one.position for one in discounts), cost)
        if rule is not None:
            discounts.append(rule)
    return None


def _holding(
    records: Sequence[PricingRecord], owner: str | None, event: Event, *, listed: bool
) -> PriceRule | DiscountRule | None:
    rules = [one for one in records if not isinstance(one, LifeEnded) and one.customer_id == owner]
    ends = [one for one in records if isinstance(one, LifeEnded) and one.customer_id == owner]
    for model in (("p", "m"), (None, None)):
        begun = [
            (_start(one), one.position, one)
            for one in rules
            if (one.provider, one.model) == model and (listed or _start(one) <= event.at)
            if not any(end.position > one.position and event.at >= end.ended_at for end in ends)
            if not any(end.position > one.position and _start(one) >= end.ended_at for end in ends)
        ]
        if begun:
            return max(begun, key=lambda one: one[1:2] if listed else one[:2])[2]
    return None


def _start(rule: PriceRule | DiscountRule) -> datetime:
    told = rule.prices.standard[0].start if isinstance(rule, PriceRule) else rule.effective_from
    ever = datetime(1, 1, 1, tzinfo=UTC)
    return max(told or ever, rule.life_began_at or ever)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int | None, PricingRecord]]:
    """Rules of a customer belong to the life that its last deletion began, as commands have it."""
    records: list[tuple[int | None, PricingRecord]] = []
    began: dict[tuple[int, str | None], datetime] = {}
    for position in range(1, draw(st.integers(2, 14))):
        day, customer = draw(st.integers(0, 6)), draw(st.sampled_from(("ann", "bob")))
        owner, since = draw(st.sampled_from((None, "ann", "bob"))), draw(st.sampled_from((None, day)))
        scope_key = draw(st.sampled_from((SCOPE, SCOPE, SCOPE, OTHER)))
        provider, model = draw(st.sampled_from(MODELS))
        off = Decimal(draw(st.sampled_from(("0", "7.123456", "50", "100"))))
        start = None if since is None else START + timedelta(days=since)
        prices = price_list(position, since)
        choices: list[tuple[int | None, PricingRecord]] = [
            (None, PriceRule(position, "p", "m", price_list(position, None))),
            (
                scope_key,
                PriceRule(position, provider or "p", model or "m", prices, owner, began.get((scope_key, owner))),
            ),
            (scope_key, DiscountRule(position, off, start, provider, model, owner, began.get((scope_key, owner)))),
            (scope_key, LifeEnded(position, customer, START + timedelta(days=day))),
        ]
        records.append(draw(st.sampled_from(choices)))
        _, last = records[-1]
        if isinstance(last, LifeEnded):
            began[scope_key, last.customer_id] = last.ended_at
    return records


@given(
    histories(),
    st.lists(st.builds(Event, st.sampled_from(("ann", "bob", "cy")), st.integers(-1, 7)), min_size=1, max_size=9),
)
def test_a_book_says_of_every_event_what_the_rule_says(
    records: list[tuple[int | None, PricingRecord]], events: list[Event]
) -> None:
    assert answers(book_of(records), events) == [told(records, event) for event in events]


LISTED, OF_SCOPE = (None, priced(1, 10)), (SCOPE, priced(2, 8, since=3))


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([LISTED, OF_SCOPE, (SCOPE, priced(3, 5, customer="ann"))], (3, (), "5")),
        ([LISTED, OF_SCOPE, (SCOPE, discount(3, "25", customer="ann"))], (2, (3,), "6")),
        ([LISTED, (SCOPE, discount(2, "50")), (SCOPE, discount(3, "25", customer="ann"))], (1, (3, 2), "3.75")),
        ([LISTED, (SCOPE, discount(2, "50", model=None)), (SCOPE, priced(3, 5, customer="ann"))], (3, (), "5")),
        ([LISTED, (SCOPE, discount(2, "50", model=None)), (SCOPE, discount(3, "10"))], (1, (3,), "9")),
        ([LISTED, OF_SCOPE, (SCOPE, discount(3, "0", since=4))], (1, (3,), "10")),
        ([LISTED, OF_SCOPE, (SCOPE, discount(3, "0", since=3))], (1, (3,), "10")),
        ([LISTED, (SCOPE, priced(2, 5, customer="ann")), (SCOPE, ended(3, "ann", 5))], (1, (), "10")),
        ([LISTED, (SCOPE, priced(2, 5, 5, "ann")), (SCOPE, ended(3, "ann", 4))], (1, (), "10")),
        ([LISTED, (SCOPE, ended(2, "ann", 5)), (SCOPE, priced(3, 5, None, "ann", life=5))], (3, (), "5")),
        ([LISTED, (SCOPE, ended(2, "ann", 6)), (SCOPE, priced(3, 5, None, "ann", life=6))], (1, (), "10")),
        ([LISTED, (OTHER, priced(2, 5, customer="ann")), (OTHER, discount(3, "50", model=None))], (1, (), "10")),
        ([LISTED, (SCOPE, discount(2, "100", customer="ann", model=None))], (1, (2,), "0")),
        ([LISTED, (SCOPE, discount(2, "12.345678", customer="ann", model=None))], (1, (2,), "8.7654322")),
    ],
)  # fmt: skip
def test_the_order_of_prices(
    records: list[tuple[int | None, PricingRecord]], expected: tuple[int, tuple[int, ...], str]
) -> None:
    price, discounts, cost = expected
    (found,) = answers(book_of(records), [Event("ann", 5)])
    assert found == Answer(price, discounts, Decimal(cost))


def test_a_price_that_was_set_after_a_deletion_belongs_to_the_next_life() -> None:
    book = book_of([(SCOPE, priced(1, 5, customer="ann")), (SCOPE, ended(2, "ann", 5))])
    book.add(SCOPE, priced(3, 7, customer="ann"))
    found = answers(book, [Event("ann", 4), Event("ann", 5)])
    assert found == [Answer(1, (), Decimal(5)), Answer(3, (), Decimal(7))]


def test_a_discount_of_nothing_known_gives_no_cost() -> None:
    book = book_of([(SCOPE, discount(1, "100")), (SCOPE, discount(2, "100", customer="ann", model=None))])
    assert answers(book, [Event("ann", 1)]) == [None]


def test_a_customer_may_have_a_price_before_it_has_a_key() -> None:
    keys: dict[tuple[int, str], int] = {}
    book = PriceBook(keys)
    book.add(SCOPE, priced(1, 5, customer="ann"))
    at = np.array([epoch_microseconds(START)], dtype=np.int64)
    assert book.choose(SCOPE, "p", "m", np.array([4], dtype=np.int64), at) == []
    keys[SCOPE, "bob"], keys[SCOPE, "ann"] = 3, 4
    (found,) = book.choose(SCOPE, "p", "m", np.array([4], dtype=np.int64), at)
    assert (found.price_position, found.rows.tolist()) == (1, [0])


def test_a_book_tells_whose_deletion_would_end_something() -> None:
    book = book_of([(SCOPE, priced(1, 5, 3, "ann")), (SCOPE, discount(2, "5", customer="bob", model=None))])
    assert [book.has_rules_of(SCOPE, one) for one in ("ann", "bob", "cy")] == [True, True, False]
    assert [book.has_rules_of(OTHER, "ann"), book.has_rules_of(None, "ann")] == [False, False]
    book.add(SCOPE, ended(3, "ann", 2))
    assert [book.has_rules_of(SCOPE, one) for one in ("ann", "bob", "cy")] == [False, True, False]
