"""Customers are busy after many events, or one correction, and until they are taken."""

from __future__ import annotations

import numpy as np

from projections.duckdb.memory.busy_customers import BUSY_EVENTS_MIN, BusyCustomers


def keys(*customers: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(customers, np.int64)


def test_many_events_in_any_number_of_steps_make_a_customer_busy_once() -> None:
    busy = BusyCustomers()
    busy.wrote(np.full(BUSY_EVENTS_MIN - 1, 7, np.int64))
    busy.wrote(keys(8, 3))
    assert busy.take(9) == []
    busy.wrote(keys(7))
    assert busy.take(9) == [7]
    assert busy.take(9) == []


def test_a_correction_makes_its_customers_busy() -> None:
    busy = BusyCustomers()
    busy.corrected(keys(5_000, 2, 2))
    assert busy.take(9) == [2, 5_000]


def test_as_many_are_taken_as_are_asked_for_and_the_others_later() -> None:
    busy = BusyCustomers()
    busy.wrote(keys(1, 2, 3), keys(BUSY_EVENTS_MIN, BUSY_EVENTS_MIN - 1, 10 * BUSY_EVENTS_MIN))
    assert busy.take(1) == [1]
    assert busy.take(1) == [3]
    assert busy.take(1) == []
