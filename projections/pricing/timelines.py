"""Prices and discounts of one owner for one model, or for all, by event time: the last one that has begun holds."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from decimal import Decimal

import msgspec
import numpy as np
import numpy.typing as npt

from domain.prices.cost_columns import PriceColumns

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]


class Rule(msgspec.Struct, frozen=True):
    """A price or a discount that the log record at `position` set; the end of what holds before it, if it is neither.

    `start_us`: the event time from which it holds, in microseconds since 1970.
    """

    start_us: int
    position: int
    prices: PriceColumns | None = None
    percentage: Decimal | None = None

    @property
    def is_end(self) -> bool:
        """Whether nothing holds from here on."""
        return self.prices is None and self.percentage is None


#: Rules that hold for some rows, with those rows.
Held = list[tuple[Rule, Rows]]


def _order(rule: Rule) -> tuple[int, int]:
    return rule.start_us, rule.position


class Timeline:
    """Rules in the order (start, position)."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._starts: Ints = np.zeros(0, dtype=np.int64)

    def add(self, rule: Rule) -> None:
        """Add a rule, of higher position than those before it. One that is added after an end never holds before it."""
        ended_us = max((one.start_us for one in self.rules if one.is_end), default=rule.start_us)
        if ended_us > rule.start_us:
            rule = msgspec.structs.replace(rule, start_us=ended_us)
        insort(self.rules, rule, key=_order)
        self._set(self.rules)

    def end(self, at_us: int, position: int) -> None:
        """End all rules at an event time: nothing holds from then on, and what would have begun never does."""
        begun = [rule for rule in self.rules if rule.start_us < at_us]
        self._set([*begun, Rule(at_us, position)] if begun else [])

    def _set(self, rules: list[Rule]) -> None:
        self.rules = rules
        self._starts = np.array([rule.start_us for rule in rules], dtype=np.int64)

    def split(self, times_us: Ints, rows: Rows) -> tuple[Held, Rows]:
        """Return which rule holds for which of these rows, and the rows that none holds for. Rows ascend."""
        if not self.rules or not len(rows):
            return [], rows
        current = np.searchsorted(self._starts, times_us[rows], side="right") - 1
        held: Held = []
        none = current < 0
        for number in np.unique(current).tolist():
            rule = self.rules[number]
            if number >= 0 and not rule.is_end:
                held.append((rule, rows[current == number]))
            else:
                none |= current == number
        return held, rows[none]


class CustomerTimelines:
    """The timelines of the customers of a scope, for one model or for all.

    `customer_keys`: the keys of customers by scope and id, which only grow. One with rules may have none yet.
    """

    def __init__(self, scope_key: int, customer_keys: Mapping[tuple[int, str], int]) -> None:
        self._scope_key = scope_key
        self._customer_keys = customer_keys
        self._of: dict[str, Timeline] = {}
        self._by_key: dict[int, Timeline] = {}
        self._sorted_keys: Ints = np.zeros(0, dtype=np.int64)
        self._without_key: set[str] = set()
        self._keys_seen = -1

    def add(self, customer_id: str, rule: Rule) -> None:
        """Add a rule of a customer."""
        timeline = self._of.get(customer_id)
        if timeline is None:
            timeline = self._of[customer_id] = Timeline()
            self._without_key.add(customer_id)
            self._keys_seen = -1
        timeline.add(rule)

    def end(self, customer_id: str, at_us: int, position: int) -> None:
        """End the rules of a customer."""
        timeline = self._of.get(customer_id)
        if timeline is not None:
            timeline.end(at_us, position)

    def has(self, customer_id: str) -> bool:
        """Whether a customer has rules."""
        return customer_id in self._of and bool(self._of[customer_id].rules)

    def split(self, customer_keys: Ints, times_us: Ints, rows: Rows) -> tuple[Held, Rows]:
        """Return as `Timeline.split` does, of each row by the rules of its customer."""
        self._find_keys()
        known = self._sorted_keys
        if not len(known) or not len(rows):
            return [], rows
        of_rows = customer_keys[rows]
        places = np.searchsorted(known, of_rows)
        owned = known[np.minimum(places, len(known) - 1)] == of_rows
        if not owned.any():
            return [], rows
        order = np.argsort(of_rows[owned], kind="stable")
        sorted_rows, sorted_keys = rows[owned][order], of_rows[owned][order]
        held: Held = []
        none = [rows[~owned]]
        for group in np.split(sorted_rows, np.flatnonzero(np.diff(sorted_keys)) + 1):
            of_customer, rest = self._by_key[int(customer_keys[group[0]])].split(times_us, group)
            held += of_customer
            none.append(rest)
        return held, np.sort(np.concatenate(none))

    def _find_keys(self) -> None:
        """Look for the keys of customers that had none, where keys were assigned since the last time."""
        if not self._without_key or self._keys_seen == len(self._customer_keys):
            return
        self._keys_seen = len(self._customer_keys)
        for customer_id in list(self._without_key):
            key = self._customer_keys.get((self._scope_key, customer_id))
            if key is not None:
                self._by_key[key] = self._of[customer_id]
                self._without_key.discard(customer_id)
        self._sorted_keys = np.array(sorted(self._by_key), dtype=np.int64)
