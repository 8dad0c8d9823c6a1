"""The route of differences: what moved usage between two points of knowledge."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery

from api.http.authentication import Reader
from api.http.paging import CURSOR_NUMBER_MAX, cursor_text, cursor_values
from api.http.problems import Problem
from api.http.query_instants import is_day, local_midnight, optional_bound, query_instant
from api.http.reading import (
    POINT_OF_KNOWLEDGE,
    WAIT_FOR_MIN_POSITION,
    Reading,
    is_position,
    position_named,
    reading,
    time_zone_of,
)
from api.http.state import ApiState, StateOf
from api.native.models.diff import DiffQuery, DiffView
from api.native.views.diff import diff_document
from domain.values.identifiers import checked_id
from domain.values.periods import ANCHOR_LIMIT, ANCHOR_MIN
from projections.queries.diff import ChangeCursor
from projections.views.customers import TIME_ZONE_DEFAULT
from projections.views.diff.difference import Difference, DifferenceQuestion, difference
from projections.views.diff.interval import Moment

router = APIRouter(tags=["usage"])
_LIST: Final = "diff"
_MONTH: Final = re.compile(r"\d{4}-\d\d", re.ASCII)


@router.get(
    "/v1/diff",
    response_model=DiffView,
    dependencies=[WAIT_FOR_MIN_POSITION],
    summary="Explain what moved usage between two points of knowledge",
)
def get_diff(state: StateOf, key: Reader, query: Annotated[DiffQuery, FromQuery()]) -> DiffView:
    """Usage as known at `since` and at `as_of`, and what moved it in between: events that were counted, corrections,
    prices, re-pricing runs, and facts about customers. Every page tells the same sums; to read all pages as of one
    point, repeat `as_of` and `at` of the first. 404 when the customer was never known, 422 when `since` is later than
    `as_of`."""
    after = cursor_values(_LIST, query.cursor, ChangeCursor)
    if after is not None and max(abs(after.position), abs(after.locator)) > CURSOR_NUMBER_MAX:
        raise Problem.invalid("cursor", "must be the next_cursor of an earlier page of this list")
    customer_id = None if query.customer is None else checked_id("customer", query.customer)
    with reading(state, query, key.scope, customer_id) as asked:
        zone = time_zone_of(asked.snapshot, key.scope, customer_id, asked.now)
        question = DifferenceQuestion(
            since=_since(state, asked, query, zone),
            customer_id=customer_id,
            start=optional_bound("from", query.from_, zone),
            end=optional_bound("to", query.to, zone),
            period_of=_moment(query),
        )
        answer = difference(asked.snapshot, key.scope, question, asked.now, after, query.limit)
        found: Difference = asked.customer_or_404(answer, key.scope, customer_id or "")
        next_cursor = None if found.behind is None else cursor_text(_LIST, found.behind)
        return diff_document(found, asked.now, next_cursor)


def _since(state: ApiState, asked: Reading, query: DiffQuery, zone: str) -> int:
    """The earlier position. An instant that is still to come would mean another position later."""
    instant = _instant("since", query.since, zone)
    later = None if query.as_of is None else _instant("as_of", query.as_of, zone)
    if instant is not None and instant > state.engine.now():
        raise Problem.invalid("since", "must not be in the future")
    if instant is not None and later is not None and instant > later:
        raise Problem.invalid("since", "must not be later than as_of")
    return position_named(asked.latest, "since", query.since, zone)


def _instant(name: str, text: str, zone: str) -> datetime | None:
    """The instant that a point of knowledge is given as; None for a log position."""
    return None if is_position(text) else optional_bound(name, text, zone, POINT_OF_KNOWLEDGE)


def _moment(query: DiffQuery) -> Moment | None:
    text = query.period_of
    if text is None:
        return None
    if query.from_ is not None or query.to is not None:
        raise Problem.invalid("period_of", "must not be given together with from or to")
    day = f"{text}-01" if _MONTH.fullmatch(text) else text
    if is_day(day):
        try:
            local_midnight("period_of", day, TIME_ZONE_DEFAULT)
        except Problem:
            raise Problem.invalid("period_of", "must be an instant, a day or a month that exists") from None
        return date.fromisoformat(day)
    instant = query_instant("period_of", text, "must be an RFC 3339 instant, a day or a month")
    if not ANCHOR_MIN <= instant < ANCHOR_LIMIT:
        raise Problem.invalid("period_of", f"must be between {ANCHOR_MIN.year} and {ANCHOR_LIMIT.year}")
    return instant
