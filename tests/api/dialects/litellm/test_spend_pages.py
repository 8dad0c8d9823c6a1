"""Pages of GET /spend/logs/v2 over many requests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import DEFAULT_SCOPE
from projections.queries.events import EventFilter, EventQuestion
from projections.queries.snapshot import PAGE_ROWS_MAX
from tests.engine_fixtures import NDJSON, Api, llm_request

MANY: Final = 101_000
_BATCH: Final = 10_000
_PAGE: Final = 100
_DAYS: Final = 7
NEWEST: Final = datetime(2026, 11, 19, 12, tzinfo=UTC)


def time_of(number: int) -> datetime:
    """Times spread over a week in no order, two requests at each instant."""
    return NEWEST - timedelta(minutes=(number // 2 * 7_919) % (_DAYS * 1_440))


def lines() -> Iterator[bytes]:
    for number in range(MANY):
        event = llm_request(f"r-{number}", f"c-{number % 50}", time_of(number), cost_usd=str(number % 997))
        yield msgspec.json.encode(event)


@pytest.fixture(scope="module", autouse=True)
def many(api: Api) -> None:
    pending = list(lines())
    for start in range(0, MANY, _BATCH):
        taken = api.deliver_bytes(b"\n".join(pending[start : start + _BATCH]), NDJSON)
        assert taken["counts"]["counted"] == len(pending[start : start + _BATCH])


def page(api: Api, number: int, **params: str | int) -> Any:
    found = api.get("/spend/logs/v2", page=number, page_size=_PAGE, **params)
    assert (found["total"], found["total_pages"]) == (MANY, MANY // _PAGE)
    return found["data"]


def test_no_number_of_requests_is_refused_and_every_page_is_the_next_piece(api: Api) -> None:
    expected = sorted(range(MANY), key=lambda number: (time_of(number), number), reverse=True)
    for number in (1, 2, 505, 1_009, 1_010):
        piece = expected[(number - 1) * _PAGE : number * _PAGE]
        assert [one["request_id"] for one in page(api, number)] == [f"r-{one}" for one in piece]
    assert page(api, 1_011) == []


def test_in_ascending_order_the_last_page_is_the_first_one_read_backwards(api: Api) -> None:
    for order in ("startTime", "endTime", "spend", "total_tokens"):
        first, last = page(api, 1, sort_by=order), page(api, MANY // _PAGE, sort_by=order, sort_order="asc")
        assert last == first[::-1]


def test_all_pages_together_are_all_requests_in_order(engine: EmbeddedEngine) -> None:
    question, found = EventQuestion(EventFilter()), list[tuple[datetime, int]]()
    with engine.reads.snapshot() as snapshot:
        for offset in range(0, MANY, PAGE_ROWS_MAX):
            found_page = snapshot.event_page(DEFAULT_SCOPE, question, offset, PAGE_ROWS_MAX)
            found += [(one.event.time, one.event.locator) for one in found_page.events]
    assert len(set(found)) == MANY
    assert found == sorted(found, reverse=True)
