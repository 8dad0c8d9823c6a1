"""What an answer is read from: a snapshot as known at a log position, and the time at which the question is asked.

The same question with the same position and time has the same answer for ever after. What a reading is made of:

1. `min_position`: wait until it is folded.
2. `as_of`, a position, an instant or a day: the log position; by default the last one that is folded.
3. `at`: the time; by default when the last record of the scope up to that position was recorded, and without `as_of`
   the time of the clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Final, Protocol

import msgspec
from anyio import to_thread
from fastapi import Depends
from starlette.requests import Request

from api.http.authentication import Reader
from api.http.problems import Problem, found_or_404
from api.http.query_instants import is_day, local_midnight, query_instant
from api.http.state import ApiState, StateOf
from domain.scope import Scope
from domain.values.identifiers import checked_id
from domain.values.instants import instant_text
from domain.values.periods import zone_named
from projections.queries.snapshot import Snapshot
from projections.views.customers import TIME_ZONE_DEFAULT, customer_view

POSITION_DIGITS_MAX: Final = 18
#: The rule for a point of knowledge.
POINT_OF_KNOWLEDGE: Final = "must be an RFC 3339 instant, a day or a log position"
#: Longest text of `as_of` and `at`.
MOMENT_LENGTH_MAX: Final = 40
POSITION_HEADER: Final = "Meterfold-Position"
NOW_HEADER: Final = "Meterfold-Now"
AS_OF_HEADER: Final = "Meterfold-As-Of"
AT_HEADER: Final = "Meterfold-At"


async def _folded_far_enough(request: Request, state: StateOf, key: Reader) -> None:
    """Wait until `min_position` is folded, for a key that may read; `Problem` 503 when it is not folded in time.

    A malformed value is passed by: the validation of the query reports it.
    """
    text = request.query_params.get("min_position", "")
    if not is_position(text):
        return
    if await state.fold.folded(int(text)):
        return
    if (await to_thread.run_sync(state.engine.progress)).failure is not None:
        raise Problem("fold_stopped", f"position {text} is not folded, and the fold has stopped")
    raise Problem("not_folded_yet", f"position {text} is not folded yet")


async def _checked_customer(customer_id: str) -> str:
    """Check an id from the path by the rule for all ids."""
    return checked_id("customer", customer_id)


CustomerId = Annotated[str, Depends(_checked_customer)]
#: Route dependency: wait for the parameter `min_position`.
WAIT_FOR_MIN_POSITION: Any = Depends(_folded_far_enough)


class Asked(Protocol):
    """The position and the time that a question is asked as of; None: the last folded one, now."""

    @property
    def as_of(self) -> str | None:
        """A log position, an instant or a day."""

    @property
    def at(self) -> str | None:
        """An instant."""

    @property
    def names(self) -> tuple[str, str]:
        """The names of the two, as the client gives them."""


class AskedAsOf(msgspec.Struct, frozen=True):
    """What is asked as of by headers, or by the engine itself; by default what is known now."""

    as_of: str | None = None
    at: str | None = None
    names: tuple[str, str] = (AS_OF_HEADER, AT_HEADER)


async def _asked_by_headers(request: Request) -> AskedAsOf:
    return AskedAsOf(request.headers.get(AS_OF_HEADER), request.headers.get(AT_HEADER))


#: The two headers in an OpenAPI document. As parameters of a function they would bring a 422 of FastAPI's along.
AS_OF_HEADERS: Final[list[dict[str, Any]]] = [
    {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
    for name, text in (
        (AS_OF_HEADER, "Answer as known then: a log position, an RFC 3339 instant or a day."),
        (AT_HEADER, "Answer as if asked at this time, an RFC 3339 instant."),
    )
]
#: How a client of a dialect asks for an earlier answer.
AskedByHeaders = Annotated[AskedAsOf, Depends(_asked_by_headers)]


class Reading(msgspec.Struct, frozen=True):
    """A snapshot that an answer is read from, at the time `now`. `latest` is the same store as known now."""

    snapshot: Snapshot
    now: datetime
    latest: Snapshot

    @property
    def position(self) -> int:
        """The log position that the answer is true for."""
        return self.snapshot.point().position

    def headers(self) -> dict[str, str]:
        """The headers of an answer whose body has no place for position and time."""
        return {POSITION_HEADER: str(self.position), NOW_HEADER: instant_text(self.now)}

    def again(self) -> AskedAsOf:
        """What asks for the same reading in another snapshot."""
        return AskedAsOf(str(self.position), instant_text(self.now))

    def customer_or_404(self, answer: Any, scope: Scope, customer_id: str) -> Any:
        """Return an answer about a customer; 404 when there is none, which says whether it became known later."""
        unknown_then = answer is None and self.snapshot.customer(scope, customer_id) is None
        if unknown_then and self.latest.customer(scope, customer_id) is not None:
            raise Problem("not_found", f"customer {customer_id!r} was not yet known then")
        return found_or_404(answer, "customer", customer_id)


@contextmanager
def reading(
    state: ApiState, asked: Asked, scope: Scope, customer_id: str | None = None, zone: str | None = None
) -> Iterator[Reading]:
    """Open what an answer is read from, for as long as the context lasts; `Problem` 422 for what cannot be asked.

    A day given as `as_of` is one in `zone`, else in the time zone that the customer has now, else in UTC. The time of a
    position is that of the last record of the scope: when others were active is theirs to know.
    """
    with state.engine.reads.snapshot() as latest:
        clock = state.engine.now()
        at = None if asked.at is None else query_instant(asked.names[1], asked.at)
        if asked.as_of is None:
            yield Reading(latest, clock if at is None else at, latest)
            return
        if is_day(asked.as_of) and zone is None:
            zone = time_zone_of(latest, scope, customer_id, clock)
        snapshot = latest.as_of(position_named(latest, asked.names[0], asked.as_of, zone))
        yield Reading(snapshot, at or snapshot.recorded_at(scope) or clock, latest)


def time_zone_of(snapshot: Snapshot, scope: Scope, customer_id: str | None, now: datetime) -> str:
    """The time zone in which the days of a question about a customer begin; UTC where there is no such customer."""
    record = None if customer_id is None else snapshot.customer(scope, customer_id)
    view = None if record is None else customer_view(record, now)
    return TIME_ZONE_DEFAULT if view is None or not view.exists else view.time_zone


def position_named(latest: Snapshot, name: str, as_of: str, zone: str | None) -> int:
    """The log position that a text means, the parameter `name`: a position, an instant, or a day in this time zone."""
    if is_position(as_of):
        if int(as_of) > latest.point().position:
            raise Problem.invalid(name, "must not be later than the last folded position")
        return int(as_of)
    if is_day(as_of):
        named = zone_named(zone or TIME_ZONE_DEFAULT, "timezone")
        return latest.position_at(local_midnight(name, as_of, named.key))
    return latest.position_at(query_instant(name, as_of, POINT_OF_KNOWLEDGE))


def is_position(text: str) -> bool:
    """Whether a text has the form of a log position."""
    return text.isascii() and text.isdigit() and len(text) <= POSITION_DIGITS_MAX
