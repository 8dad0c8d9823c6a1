"""Queries for what changed between two log positions, and the values that a snapshot returns for them.

The later position is that of the snapshot; the earlier one is `since`. A change is what one log record did to one
event of one customer: a version of its row was opened, or closed, or both.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from projections.queries.facts import Fact
from projections.queries.usage import Segment, UsageSums

#: Why the versions of events changed. "new" and "late" events were counted, late ones with a time before that of the
#: last record known at the earlier position; "corrected" ones were voided or restored by a run, "backfilled" ones
#: loaded or replaced; "reverted" ones changed by the revert of a run or of a backfill; "moved" ones got the customer of
#: their subscription. "changed": by a record of any other topic.
EventChangeKind = Literal[
    "new",
    "late",
    "voided",
    "restored",
    "amended",
    "priced",
    "repriced",
    "corrected",
    "backfilled",
    "reverted",
    "moved",
    "changed",
]
#: Runs and backfills that sums of changes are split by, the last ones; changes by earlier ones are summed without name.
RUNS_SPLIT_MAX: Final = 100


class ChangesQuestion(msgspec.Struct, frozen=True):
    """A query for changes of requests to models after log position `since`, of event times in `span`.

    Events whose time was moved into the span or out of it are among them. `customer_id` None: all customers of the
    scope. `late_before`: events counted since are "late" if their time is before it; None: none is.
    """

    since: int
    span: Segment
    customer_id: str | None = None
    late_before: datetime | None = None


class ChangePart(msgspec.Struct, frozen=True):
    """What changes moved of usage with one markup, that valid at the times of the events as known at `since`.

    Sums are signed: what was taken away is negative.
    """

    sums: UsageSums
    markup_percentage: Decimal = Decimal(0)


class ChangeSum(msgspec.Struct, frozen=True):
    """The sum of all changes of one kind. `events`: how many events they changed. `run`: the re-pricing that made them.

    There is a part for each markup. Units have none; they are in the first part.
    """

    kind: EventChangeKind
    run: str | None
    events: int
    parts: tuple[ChangePart, ...]


class EventChange(msgspec.Struct, frozen=True):
    """What the log record at `position` did to one event.

    `time` is that of the event, after the change where it has one. `actor` and `reason` are None where nobody gave
    them. `customer_id`: whose usage changed; None: that of nobody yet.
    """

    position: int
    recorded_at: datetime
    kind: EventChangeKind
    customer_id: str | None
    source: str
    id: str
    locator: int
    time: datetime
    parts: tuple[ChangePart, ...]
    actor: str | None = None
    reason: str | None = None
    run: str | None = None


class ChangeCursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a page of changes continues: changes are in the order of (position, locator, customer id).

    `NO_LOCATOR` and less stand for facts, which come before the events of their position. No customer is "".
    """

    position: int
    locator: int
    customer_id: str

    def values(self) -> tuple[int, int, str]:
        """The values that changes are sorted by."""
        return self.position, self.locator, self.customer_id


#: The locator of a fact in the order of changes.
NO_LOCATOR: Final = -1


class MarkupFact(msgspec.Struct, frozen=True):
    """Facts at one log position that may have changed the markup of a customer; `fact` is the last of them.

    `facts` are all facts of the customer that are known to the snapshot, in log order.
    """

    customer_id: str
    fact: Fact
    facts: tuple[Fact, ...]

    def cursor(self) -> ChangeCursor:
        """Where they stand in the order of changes."""
        return ChangeCursor(self.fact.position, NO_LOCATOR, self.customer_id)
