"""Costs of usage events for the oracle, event by event: the customer's price or discount, then the tenant's price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from tests.oracle.trace_entries import CustomerWasDeleted, DiscountWasGiven, Prices, PriceWasGiven, TraceEntry

EXACT = Context(prec=120)  # enough that nothing is rounded by accident
PICODOLLAR = Decimal("0.000000000001")
TIME_FIRST = datetime.fromisoformat("1980-01-01T00:00:00+00:00")

Rule = PriceWasGiven | DiscountWasGiven


@dataclass(frozen=True)
class CountedEvent:
    """An event that stands, as its producer sent it. `order` is the number of the entry that brought it."""

    order: int
    source: str
    id: str
    type: str
    customer: str
    time: datetime
    provider: str | None
    model: str | None
    tokens: tuple[int, ...]  # as COUNTS
    given_cost: Decimal | None
    is_root: bool  # no other request made it


@dataclass(frozen=True)
class CostHistory:
    """What an event costs, and from which entry on that is known. `cost` None: never, or it has no cost at all."""

    cost: Decimal | None
    known_from: int
    may_be_unknown: bool

    def at(self, known: int) -> Decimal | None:
        return self.cost if known >= self.known_from else None

    def unknown_at(self, known: int) -> bool:
        return self.may_be_unknown and self.at(known) is None


def cost_at(prices: Prices, tokens: Sequence[int], left: Decimal = Decimal(1)) -> Decimal:
    """The cost at these prices, of each of which so much is left after discounts."""
    whole_input, cached, written, whole_output, reasoning = tokens
    parts = (
        (whole_input - cached - written, prices.input),
        (cached, prices.input if prices.cached_input is None else prices.cached_input),
        (written, prices.input if prices.cache_write is None else prices.cache_write),
        (whole_output - reasoning, prices.output),
        (reasoning, prices.output if prices.reasoning is None else prices.reasoning),
    )
    total = Decimal(0)
    for count, price in parts:
        total = EXACT.add(total, EXACT.multiply(Decimal(count), price))
    total = EXACT.add(EXACT.divide(total, Decimal(1_000_000)), prices.request or Decimal(0))
    return EXACT.multiply(total, left).quantize(PICODOLLAR, ROUND_HALF_EVEN, EXACT)


def prices_for(given: PriceWasGiven, input_tokens: int) -> Prices:
    """The prices of the highest tier that the request exceeds, otherwise the base prices."""
    reached = [tier for tier in given.tiers if input_tokens > tier[0]]
    return max(reached, key=lambda tier: tier[0])[1] if reached else given.prices


class PlainPrices:
    """The prices and discounts of a trace, and the deletions that end those of customers."""

    def __init__(self, entries: Sequence[TraceEntry]) -> None:
        self._rules = [(order, it) for order, it in enumerate(entries) if isinstance(it, Rule)]
        self._ends = [(order, it) for order, it in enumerate(entries) if isinstance(it, CustomerWasDeleted)]

    def history(self, event: CountedEvent) -> CostHistory:
        """The producer's cost; else by what is known at delivery; else by the first price known later."""
        if event.given_cost is not None:
            return CostHistory(event.given_cost, 0, may_be_unknown=False)
        if event.model is None:
            return CostHistory(None, 0, may_be_unknown=False)
        later = [order + 1 for order, it in self._rules if order > event.order and isinstance(it, PriceWasGiven)]
        for known in (event.order, *later):
            cost = self._cost(event, known)
            if cost is not None:
                return CostHistory(cost, 0 if known == event.order else known, may_be_unknown=True)
        return CostHistory(None, 0, may_be_unknown=True)

    def _cost(self, event: CountedEvent, known: int) -> Decimal | None:
        left = Decimal(1)
        for owner in (event.customer, None):
            match self._holding(event, owner, known):
                case PriceWasGiven() as price:
                    return cost_at(prices_for(price, event.tokens[0]), event.tokens, left)
                case DiscountWasGiven(percentage=percentage):
                    left = EXACT.multiply(left, 1 - percentage / 100)
        return None

    def _holding(self, event: CountedEvent, owner: str | None, known: int) -> Rule | None:
        """The rule of an owner: of those in effect the last one, one of the model before one of every model."""
        found: list[tuple[bool, datetime, int, Rule]] = []
        for order, rule in self._rules:
            start = self._start(order, rule)
            named = (rule.provider, rule.model) == (event.provider, event.model)
            if rule.customer != owner or order >= known or start > event.time or not (named or rule.model is None):
                continue
            ends = [it.recorded_at for ended, it in self._ends if order < ended < known and it.customer == owner]
            if not any(end <= event.time for end in ends):
                found.append((named, start, order, rule))
        return max(found, key=lambda one: one[:3])[3] if found else None

    def _start(self, order: int, rule: Rule) -> datetime:
        """From when a rule holds: not before the life of the customer that has it."""
        ends = [it.recorded_at for ended, it in self._ends if ended < order and it.customer == rule.customer]
        return max([rule.effective_from or TIME_FIRST, *ends])
