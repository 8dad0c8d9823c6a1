"""A conflict whose content an amendment gave to the event is a duplicate."""

from __future__ import annotations

import numpy as np

from projections.identity.amended import AmendedEvents
from projections.identity.resolution import (
    BATCH_REFUSED,
    CONFLICT,
    COUNTED,
    DUPLICATE,
    NO_GROUP,
    ReceivedRows,
    Resolution,
)

#: A conflict with event 5 of each of these contents, and one row of every other outcome.
ROWS = ReceivedRows(
    identities=np.array([1] * 6, dtype=np.uint64),
    contents=np.array([20, 21, 22, 20, 20, 20], dtype=np.uint64),
    locators=np.arange(10, 16, dtype=np.uint64),
    accepted=np.ones(6, dtype=np.bool_),
    groups=np.full(6, NO_GROUP),
    atomic=np.zeros(6, dtype=np.bool_),
)
RESOLVED = Resolution(
    np.array([CONFLICT, CONFLICT, CONFLICT, COUNTED, BATCH_REFUSED, CONFLICT], dtype=np.uint8),
    np.array([5, 5, 5, 0, 5, 6], dtype=np.uint64),
)


def codes(amended: AmendedEvents) -> list[int]:
    found: list[int] = amended.resolved(ROWS, RESOLVED).codes.tolist()
    return found


def test_without_amendments_nothing_changes() -> None:
    assert AmendedEvents().resolved(ROWS, RESOLVED) is RESOLVED


def test_every_content_that_the_event_ever_had_is_accepted() -> None:
    amended = AmendedEvents()
    amended.add(5, 1, 20)
    assert codes(amended) == [DUPLICATE, CONFLICT, CONFLICT, COUNTED, BATCH_REFUSED, CONFLICT]
    amended.add(5, 2, 22)
    assert codes(amended) == [DUPLICATE, CONFLICT, DUPLICATE, COUNTED, BATCH_REFUSED, CONFLICT]
    assert RESOLVED.codes.tolist() == [CONFLICT, CONFLICT, CONFLICT, COUNTED, BATCH_REFUSED, CONFLICT]


def test_the_contents_of_one_event_are_none_of_another() -> None:
    amended = AmendedEvents()
    amended.add(5, 1, 22)
    amended.add(6, 1, 20)
    assert codes(amended) == [CONFLICT, CONFLICT, DUPLICATE, COUNTED, BATCH_REFUSED, DUPLICATE]


def test_the_customer_is_that_of_the_last_amendment() -> None:
    amended = AmendedEvents()
    amended.add(5, 1, 20)
    amended.add(5, 2, 21)
    assert (amended.customer_key(5), amended.customer_key(6)) == (2, None)
