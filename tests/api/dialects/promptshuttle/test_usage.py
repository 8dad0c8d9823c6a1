"""Usage in a window that ends now, of one customer and of all."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from fastapi import FastAPI
from starlette.responses import Response, StreamingResponse

from api.dialects.promptshuttle.models.requests import UsageQuery
from api.dialects.promptshuttle.models.responses import UsageResponse
from api.dialects.promptshuttle.ordered_rows import CHUNK_ROWS, SPOOLED_BYTES_MAX, OrderedRows
from api.dialects.promptshuttle.routes.usage import get_usage_by_customer
from api.http.reading import AskedAsOf
from domain.scope import Scope
from tests.api.dialects.conftest import Spend
from tests.api.dialects.promptshuttle.conftest import BASE, FRIDAY, changed, created
from tests.engine_fixtures import Api, JsonObject, SettableClock, customer_path, engine_on, http, key_for, llm_request

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
#: Two numbers of a row, and what sorting them takes: fewer than a row itself, and much fewer than its customer.
ORDER_BYTES_OF_A_ROW_MAX: Final = 300


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Api]:
    """An engine of its own, for answers about all customers."""
    with engine_on(tmp_path / "engine", SettableClock(FRIDAY)) as engine, http(engine) as api:
        yield api


def usage_of(api: Api, customer: str, **params: str) -> JsonObject:
    shown: JsonObject = api.get(f"{BASE}/customers/{customer}/usage", **params)
    assert UsageResponse.model_validate(shown)
    return shown


def by_customer(api: Api, **params: str) -> list[JsonObject]:
    shown: list[JsonObject] = api.get(f"{BASE}/usage/by-customer", **params)
    return shown


def sums(shown: JsonObject) -> tuple[int, int, float]:
    return shown["creditsUsed"], shown["requestCount"], shown["costUsd"]


def test_usage_is_that_of_the_last_thirty_days_unless_a_period_is_given(api: Api, spend: Spend) -> None:
    customer = created(api, "acme", name="Acme")
    now = FRIDAY
    for at in (now - 30 * DAY - HOUR, now - 30 * DAY, now - 7 * DAY, now - HOUR, now):
        spend("acme", "0.5", at)
    assert usage_of(api, "acme") == {
        "customerId": customer["id"],
        "externalId": "acme",
        "name": "Acme",
        "period": "30.00:00:00",
        "from": "2026-10-21T10:24:37.500Z",
        "to": "2026-11-20T10:24:37.500Z",
        "creditsUsed": 1_500_000,
        "requestCount": 3,
        "costUsd": 1.5,
    }
    assert usage_of(api, customer["id"], period="30.00:00:00") == usage_of(api, "acme")


@pytest.mark.parametrize(
    ("period", "shown", "requests"),
    [("7", "7.00:00:00", 3), ("24:00:00", "24.00:00:00", 4), ("23:00:00", "23:00:00", 1), ("1:30", "01:30:00", 0)],
)
def test_a_period_is_a_time_span_of_net_whose_window_is_half_open(
    api: Api, spend: Spend, period: str, shown: str, requests: int
) -> None:
    name = f"spans {period}"
    for at in (FRIDAY - 24 * DAY, FRIDAY - 7 * DAY, FRIDAY - DAY, FRIDAY - 2 * HOUR, FRIDAY):
        spend(name, "1", at)
    found = usage_of(api, name, period=period)
    assert (found["period"], found["requestCount"]) == (shown, requests)


def test_credits_are_rounded_once_half_to_even_from_the_exact_sum(api: Api, spend: Spend) -> None:
    spend("half", "0.0000005", FRIDAY - HOUR)
    assert sums(usage_of(api, "half")) == (0, 1, 5e-07)
    spend("half", "0.000001", FRIDAY - HOUR)
    assert sums(usage_of(api, "half")) == (2, 2, 1.5e-06)
    spend("half", "0.000000000001", FRIDAY - 9 * DAY)
    assert usage_of(api, "half")["creditsUsed"] == 2
    for _ in range(3):
        spend("thirds", "0.0000004", FRIDAY - HOUR)
    assert usage_of(api, "thirds")["creditsUsed"] == 1


def test_money_is_that_of_all_events_and_requests_are_those_without_a_parent(api: Api, spend: Spend) -> None:
    for days in (0, 3):  # at the edge of the window, and within a whole day
        spend("tree", "1", FRIDAY - HOUR - days * DAY)
        spend("tree", "0.25", FRIDAY - HOUR - days * DAY, parent_request=f"root of {days}")
    expected = (2_500_000, 2, 2.5)
    assert sums(usage_of(api, "tree")) == expected
    assert [sums(one) for one in by_customer(api) if one["externalId"] == "tree"] == [expected]


def test_cost_is_reported_with_the_markup_at_the_time_of_each_event(api: Api, spend: Spend) -> None:
    created(api, "marked")
    back = {"effective_at": (FRIDAY - 5 * DAY - 3 * HOUR).isoformat()}
    api.post("/v1/customers", {"id": "marked late"})
    for name in ("marked", "marked late"):
        spend(name, "1", FRIDAY - 9 * DAY)
        spend(name, "1", FRIDAY - 5 * DAY - 4 * HOUR)
        spend(name, "1", FRIDAY - 5 * DAY)
        spend(name, "1", FRIDAY - 2 * DAY)
        api.patch(customer_path(name), {"markup_percentage": "10", **back})
    for name in ("marked", "marked late"):
        assert sums(usage_of(api, name)) == (4_200_000, 4, 4.2)
        assert [sums(one) for one in by_customer(api) if one["externalId"] == name] == [(4_200_000, 4, 4.2)]
        assert sums(usage_of(api, name, period="6")) == (3_200_000, 3, 3.2)


def test_an_inactive_customer_has_usage_and_is_in_no_report(fresh: Api) -> None:
    created(fresh, "quiet")
    assert [one["externalId"] for one in by_customer(fresh)] == ["quiet"]
    changed(fresh, "quiet", isActive=False)
    assert by_customer(fresh) == []
    assert sums(usage_of(fresh, "quiet")) == (0, 0, 0.0)
    changed(fresh, "quiet", isActive=True)
    assert [one["externalId"] for one in by_customer(fresh)] == ["quiet"]


def test_a_report_has_every_active_customer_with_the_most_credits_first(fresh: Api) -> None:
    def used(event_id: str, customer: str, usd: str, at: Any = FRIDAY - HOUR) -> JsonObject:
        return llm_request(event_id, customer, at, cost_usd=usd)

    for name in ("b", "a", "gone"):
        created(fresh, name)
    fresh.deliver(
        [
            used("1", "small", "1"),
            used("2", "large", "2"),
            used("3", "old", "9", FRIDAY - 40 * DAY),
            used("4", "gone", "9"),
        ]
    )
    fresh.delete(f"{BASE}/customers/gone")
    shown = by_customer(fresh)
    assert [(one["externalId"], *sums(one)) for one in shown] == [
        ("large", 2_000_000, 1, 2.0),
        ("small", 1_000_000, 1, 1.0),
        ("a", 0, 0, 0.0),
        ("b", 0, 0, 0.0),
        ("old", 0, 0, 0.0),
    ]
    assert shown == [usage_of(fresh, one["externalId"]) for one in shown]
    assert by_customer(fresh, period="60")[0]["externalId"] == "old"


def test_a_new_life_begins_without_usage(api: Api, spend: Spend, clock: SettableClock) -> None:
    spend("again", "5", FRIDAY - HOUR)
    clock.advance(seconds=1)
    api.delete(f"{BASE}/customers/again")
    spend("again", "2", FRIDAY - HOUR)  # late, of the life that ended
    assert created(api, "again")["createdAt"] == "2026-11-20T10:24:38.500Z"
    clock.advance(seconds=1)
    spend("again", "1", FRIDAY + timedelta(seconds=1))
    assert sums(usage_of(api, "again")) == (1_000_000, 1, 1.0)
    assert [sums(one) for one in by_customer(api) if one["externalId"] == "again"] == [(1_000_000, 1, 1.0)]


def test_an_unknown_customer_is_not_found(api: Api) -> None:
    assert api.refused("GET", f"{BASE}/customers/nobody/usage", 404)["status"] == 404


@pytest.mark.parametrize("path", ["/customers/acme/usage", "/usage/by-customer"])
@pytest.mark.parametrize(
    ("period", "understood"),
    [
        ("0", "it was understood as 00:00:00"),
        ("00:00", "it was understood as 00:00:00"),
        ("-7", "it was understood as -7.00:00:00"),
        ("7.12", "it was understood as 7 days and 12 hours without minutes"),
        ("24:00", "it was understood as 24 hours, of which there are at most 23"),
        ("a month", "it was not understood as a time span"),
        ("", "it was not understood as a time span"),
    ],
)
def test_a_period_that_is_none_is_refused_with_what_was_understood_and_what_is_allowed(
    api: Api, path: str, period: str, understood: str
) -> None:
    refused = api.refused("GET", f"{BASE}{path}?period={period}", 400)
    allowed = "days (7), hours and minutes ([d.]hh:mm), or [d.]hh:mm:ss[.fffffff]"
    rule = f"must be a time span longer than zero, written as {allowed}; {period!r}: {understood}"
    assert refused["errors"] == {"period": [rule]}


def test_the_longest_and_the_shortest_period_are_answered(api: Api, spend: Spend) -> None:
    spend("long", "1", FRIDAY - 9_000 * DAY)
    longest = usage_of(api, "long", period="10675199.02:48:05.4775807")
    assert (longest["from"], longest["requestCount"]) == ("1980-01-01T00:00:00.000Z", 1)
    shortest = usage_of(api, "long", period="00:00:00.0000001")
    assert (shortest["period"], shortest["requestCount"]) == ("00:00:00.0000001", 0)
    assert by_customer(api, period="00:00:00.0000001")


def test_a_report_of_more_customers_takes_memory_for_their_order_alone(fresh: Api) -> None:
    app = fresh.client.app
    assert isinstance(app, FastAPI)
    state = app.state.meterfold
    peaks = []
    for tenant, count in (("few", 1_000), ("many", 5_000)):
        api = replace(fresh, key=key_for(state.engine, Scope(tenant, "prod")))
        api.deliver([llm_request(f"{number}", f"c-{number}", FRIDAY - DAY) for number in range(count)], as_lines=True)
        key = state.engine.authenticate(api.key)
        tracemalloc.start()
        answer = get_usage_by_customer(state, key, UsageQuery(), AskedAsOf())
        rows = asyncio.run(_rows_of(answer))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert rows == count
    assert peaks[1] - peaks[0] < SPOOLED_BYTES_MAX + 4_000 * ORDER_BYTES_OF_A_ROW_MAX


async def _rows_of(answer: Response) -> int:
    assert isinstance(answer, StreamingResponse)
    rows = 0
    async for chunk in answer.body_iterator:
        assert isinstance(chunk, bytes)
        rows += chunk.count(b'"externalId"')
    return rows


def test_rows_beyond_what_memory_holds_come_in_order_too(tmp_path: Path) -> None:
    rows, count = OrderedRows(tmp_path), 2 * CHUNK_ROWS + 1
    text = "x" * (3 * SPOOLED_BYTES_MAX // count)
    for number in range(count):
        rows.add(number // 2 if number else 10**30, b'"%d %s"' % (number, text.encode()))
    chunks = list(rows.as_array())
    numbers = [int(row.split()[0].strip('"[')) for row in b"".join(chunks).decode().split(",")]
    assert numbers == sorted(range(count), key=lambda number: -(number // 2) if number else -(10**30))
    assert len(chunks) == 3 + 2
    assert list(tmp_path.iterdir()) == []


def test_no_rows_are_an_empty_array(tmp_path: Path) -> None:
    assert b"".join(OrderedRows(tmp_path).as_array()) == b"[]"
