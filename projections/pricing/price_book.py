"""Effective-dated prices and discounts known at a log position: those of customers, of tenants, then list prices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domain.prices.cost_columns import Picodollars, PriceColumns
from domain.prices.discounts import discounted
from domain.usage.quantities import Quantities
from domain.values.instants import epoch_microseconds
from domain.values.money import COST_DECIMALS, USD_LIMIT
from projections.pricing.rules import DiscountRule, LifeEnded, PriceRule, PricingRecord
from projections.pricing.timelines import CustomerTimelines, Held, Ints, Rows, Rule, Timeline

#: A column of lists of log positions.
POSITIONS: Final = pa.list_(pa.int64())
_EVER: Final = datetime(1, 1, 1, tzinfo=UTC)
#: Every cost, given or computed, is below this limit, so that no sum of a read store can overflow.
_PICODOLLARS_LIMIT: Final = int(USD_LIMIT) * 10**COST_DECIMALS
#: Price lists at a discount that a book keeps; another one costs about a millisecond.
_KEPT_DISCOUNTED: Final = 1_024

#: Provider and model; of discounts on every model, neither.
ModelKey = tuple[str | None, str | None]
_EVERY_MODEL: Final[ModelKey] = (None, None)


class PricedRows(NamedTuple):
    """Events with their costs, and the log positions of the price and of the discounts on it that made these.

    The discount of the customer comes before that of the scope.
    """

    price_position: int
    discount_positions: tuple[int, ...]
    indexes: npt.NDArray[np.intp]
    costs: Picodollars


class Chosen(NamedTuple):
    """A price with the discounts on it, and the rows that they apply to, ascending.

    `percentages`: those of the discounts that take something off. `of_scope`: the position of the scope's discount, if
    there is one. `of_customers`: for each row the position of its customer's discount; None without any.
    """

    price_position: int
    prices: PriceColumns
    rows: Rows
    percentages: tuple[Decimal, ...] = ()
    of_scope: tuple[int, ...] = ()
    of_customers: Ints | None = None


def discount_lists(rows: int, priced: Iterable[PricedRows]) -> pa.Array:
    """Return the positions of the discounts of so many rows as a column of lists; null without any."""
    distinct: dict[tuple[int, ...], int] = {}
    which = np.full(rows, -1, dtype=np.int64)
    for found in priced:
        if found.discount_positions:
            which[found.indexes] = distinct.setdefault(found.discount_positions, len(distinct))
    if not distinct:
        return pa.nulls(rows, POSITIONS)
    return pa.array([list(one) for one in distinct], POSITIONS).take(pa.array(which, mask=which < 0))


class PriceBook:
    """The prices and discounts folded so far.

    1. An event has the price or the discount of its customer, else that of its scope, else the list price of its model.
    2. Of one owner, what names the model comes before what is for every model. Of those the last one that has begun by
       the time of the event holds; of two with the same `effective_from` the one at the higher position.
    3. A discount applies to what the next owner in that order gives. So two discounts multiply.
    4. Each listing of a model replaces the one before it.
    """

    def __init__(self, customer_keys: Mapping[tuple[int, str], int]) -> None:
        """`customer_keys`: the keys of customers by scope and id, as those of events are given; they only grow."""
        self._customer_keys = customer_keys
        #: What was added, with the scopes.
        self.records: Final[list[tuple[int | None, PricingRecord]]] = []
        self._listed: dict[ModelKey, tuple[int, PriceColumns]] = {}
        self._of_scopes: dict[int, dict[ModelKey, Timeline]] = {}
        self._of_customers: dict[int, dict[ModelKey, CustomerTimelines]] = {}
        self._discounted: dict[tuple[int, tuple[Decimal, ...]], PriceColumns] = {}

    def add(self, scope_key: int | None, record: PricingRecord) -> None:
        """Add what a log record said, which comes after all that was added. `scope_key` None: a list price."""
        self.records.append((scope_key, record))
        match record:
            case LifeEnded():
                if scope_key is not None:
                    ended_us = epoch_microseconds(record.ended_at)
                    for timelines in self._of_customers.get(scope_key, {}).values():
                        timelines.end(record.customer_id, ended_us, record.position)
            case PriceRule():
                start = record.prices.standard[0].start
                columns = PriceColumns(record.prices)
                if scope_key is None:
                    self._listed[record.provider, record.model] = record.position, columns
                else:
                    self._add(scope_key, record, Rule(_start_us(record, start), record.position, columns))
            case DiscountRule():
                if scope_key is not None:
                    start_us = _start_us(record, record.effective_from)
                    self._add(scope_key, record, Rule(start_us, record.position, percentage=record.percentage))

    def as_of(self, position: int) -> PriceBook:
        """Return the book of what was added at or below a log position."""
        book = PriceBook(self._customer_keys)
        for scope_key, record in self.records:
            if record.position <= position:
                book.add(scope_key, record)
        return book

    def _add(self, scope_key: int, record: PriceRule | DiscountRule, rule: Rule) -> None:
        model = (record.provider, record.model)
        if record.customer_id is None:
            self._of_scopes.setdefault(scope_key, {}).setdefault(model, Timeline()).add(rule)
            return
        of_scope = self._of_customers.setdefault(scope_key, {})
        if model not in of_scope:
            of_scope[model] = CustomerTimelines(scope_key, self._customer_keys)
        of_scope[model].add(record.customer_id, rule)

    @property
    def has_customers(self) -> bool:
        """Whether any customer ever had a price or a discount of its own."""
        return bool(self._of_customers)

    def may_price(self, scope_key: int, provider: str, model: str) -> bool:
        """Whether there is any price for some event of a model: false where none can be found at any time."""
        models: tuple[ModelKey, ModelKey] = ((provider, model), _EVERY_MODEL)
        held = self._of_scopes.get(scope_key, {}), self._of_customers.get(scope_key, {})
        return models[0] in self._listed or any(one in timelines for timelines in held for one in models)

    def has_rules_of(self, scope_key: int | None, customer_id: str) -> bool:
        """Whether a customer has a price or a discount of its own, which its deletion would end."""
        of_scope = {} if scope_key is None else self._of_customers.get(scope_key, {})
        return any(timelines.has(customer_id) for timelines in of_scope.values())

    def choose(self, scope_key: int, provider: str, model: str, customer_keys: Ints, times_us: Ints) -> list[Chosen]:
        """Each price that applies to some of these events, with its discounts and their rows.

        The index of an event without a price appears nowhere.
        """
        rows: Rows = np.arange(len(times_us), dtype=np.intp)
        models: tuple[ModelKey, ModelKey] = ((provider, model), _EVERY_MODEL)
        chosen: list[Chosen] = []
        discounts: Held = []
        if scope_key in self._of_customers:
            for one in models:
                if (timelines := self._of_customers[scope_key].get(one)) is not None:
                    held, rows = timelines.split(customer_keys, times_us, rows)
                    for rule, of_rule in held:
                        if rule.prices is not None:
                            chosen.append(Chosen(rule.position, rule.prices, of_rule))
                        else:
                            discounts.append((rule, of_rule))
            if discounts:
                rows = np.sort(np.concatenate([rows, *(of_rule for _, of_rule in discounts)]))
        for of_rest in self._of_scope_or_listed(scope_key, models, times_us, rows):
            chosen += _at_discounts_of_customers(of_rest, discounts, len(times_us))
        return chosen

    def _of_scope_or_listed(
        self, scope_key: int, models: tuple[ModelKey, ModelKey], times_us: Ints, rows: Rows
    ) -> Iterator[Chosen]:
        """Yield the prices that the scope gives, or the list at the discounts of the scope."""
        discounts: Held = []
        if scope_key in self._of_scopes:
            for one in models:
                if (timeline := self._of_scopes[scope_key].get(one)) is not None:
                    held, rows = timeline.split(times_us, rows)
                    for rule, of_rule in held:
                        if rule.prices is not None:
                            yield Chosen(rule.position, rule.prices, of_rule)
                        else:
                            discounts.append((rule, of_rule))
        listed = self._listed.get(models[0])
        if listed is None:
            return
        position, prices = listed
        for discount, of_rule in discounts:
            yield Chosen(position, prices, of_rule, _taking(discount.percentage), (discount.position,))
        if len(rows):
            yield Chosen(position, prices, rows)

    def costs(
        self,
        scope_key: int,
        provider: str,
        model: str,
        customer_keys: npt.NDArray[np.int64],
        times_us: npt.NDArray[np.int64],
        quantities: Quantities,
    ) -> Iterator[PricedRows]:
        """Yield the costs of events, the index of each at most once.

        An event of unknown cost is left out, and so is one with a cost of 10^15 USD or more.
        """
        for chosen in self.choose(scope_key, provider, model, customer_keys, times_us):
            indexes = chosen.rows
            whole = len(indexes) == len(quantities)
            of_price = quantities if whole else quantities.take(indexes)
            for rows, costs in self._columns(chosen).costs(times_us if whole else times_us[indexes], of_price):
                if isinstance(costs, list):
                    possible = [number for number, cost in enumerate(costs) if cost < _PICODOLLARS_LIMIT]
                    rows, costs = rows[possible], [costs[number] for number in possible]
                if chosen.of_customers is None:
                    yield PricedRows(chosen.price_position, chosen.of_scope, indexes[rows], costs)
                else:
                    yield from _by_customers_discount(chosen, chosen.of_customers[rows], indexes[rows], costs)

    def _columns(self, chosen: Chosen) -> PriceColumns:
        """The price at its discounts. Customers with the same percentages share it."""
        if not chosen.percentages:
            return chosen.prices
        key = (chosen.price_position, chosen.percentages)
        found = self._discounted.get(key)
        if found is None:
            if len(self._discounted) >= _KEPT_DISCOUNTED:
                self._discounted.clear()
            found = self._discounted[key] = PriceColumns(discounted(chosen.prices.prices, chosen.percentages))
        return found


def _start_us(record: PriceRule | DiscountRule, effective_from: datetime | None) -> int:
    """The event time from which a rule holds: not before the life that has it."""
    return epoch_microseconds(max(effective_from or _EVER, record.life_began_at or _EVER))


def _at_discounts_of_customers(chosen: Chosen, discounts: Held, row_count: int) -> Iterator[Chosen]:
    """Yield a price with the discounts of customers on it, the rows of one percentage together."""
    if not discounts:
        yield chosen
        return
    distinct: dict[Decimal | None, int] = {None: 0}
    codes = np.zeros(row_count, dtype=np.int64)
    positions = np.zeros(row_count, dtype=np.int64)
    for rule, of_rule in discounts:
        codes[of_rule] = distinct.setdefault(rule.percentage, len(distinct))
        positions[of_rule] = rule.position
    for percentage, code in distinct.items():
        rows = chosen.rows[codes[chosen.rows] == code]
        if not len(rows):
            continue
        if percentage is None:
            yield chosen._replace(rows=rows)
        else:
            percentages = _taking(percentage) + chosen.percentages
            yield chosen._replace(rows=rows, percentages=percentages, of_customers=positions[rows])


def _taking(percentage: Decimal | None) -> tuple[Decimal, ...]:
    """The percentage, if it takes something off."""
    return (percentage,) if percentage else ()


def _by_customers_discount(chosen: Chosen, positions: Ints, indexes: Rows, costs: Picodollars) -> Iterator[PricedRows]:
    order = np.argsort(positions, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(positions[order])) + 1):
        if len(group):
            of_group: Any = [costs[place] for place in group.tolist()] if isinstance(costs, list) else costs[group]
            discounts = (int(positions[group[0]]), *chosen.of_scope)
            yield PricedRows(chosen.price_position, discounts, indexes[group], of_group)
