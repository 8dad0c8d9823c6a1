"""No date that a client may send is an error of the engine, however near the ends of the calendar it is."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

import pytest

from tests.engine_fixtures import Api, JsonObject, llm_request
from tests.published_documents import DIALECTS, document_of

FAR: Final = (
    "9999-12-31", "9999-12-30", "9998-12-31", "2200-01-01", "2199-12-31", "1969-12-31", "0001-01-01", "0001-01-02",
    "0000-01-01", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59",
    "2199-12-31T23:59:59.999999Z", "1970-01-01T00:00:00+23:59", "9999-12-31 23:59:59", "0001-01-01 00:00:00",
)  # fmt: skip
ZONES: Final = ("Pacific/Kiritimati", "Etc/GMT+12")
CUSTOMER: Final = "far"
READS: Final = [
    (path, parameter["name"], "timezone" in {one["name"] for one in operations["get"]["parameters"]})
    for dialect in DIALECTS
    for path, operations in document_of(dialect)["paths"].items()
    for parameter in operations.get("get", {}).get("parameters", [])
    if parameter["in"] == "query" and parameter["name"] in {"from", "to", "as_of", "at", "start_date", "end_date"}
]
BASES: Final[dict[tuple[str, str], JsonObject]] = {
    ("POST", "/v1/customers"): {"id": "new"},
    ("PATCH", f"/v1/customers/{CUSTOMER}"): {"name": "Ann"},
    ("POST", f"/v1/customers/{CUSTOMER}/block"): {},
    ("POST", f"/v1/customers/{CUSTOMER}/unblock"): {},
    ("POST", "/v1/budgets"): {"id": "new", "duration": "10y"},
    ("POST", "/v1/meters"): {"code": "new", "event_type": "t", "aggregation": "count"},
    ("POST", "/v1/prices"): {"provider": "p", "model": "m", "input_usd_per_million": "1"},
    ("POST", "/v1/discounts"): {"percentage": "1"},
    ("POST", "/customer/new"): {"user_id": "new", "budget_duration": "9y"},
    ("POST", "/customer/update"): {"user_id": CUSTOMER, "budget_duration": "3650d"},
    ("POST", "/budget/new"): {"budget_id": "new", "budget_duration": "119mo"},
}
NUMBERS = count()


@pytest.fixture(scope="module", autouse=True)
def customer(api: Api) -> None:
    """A customer with usage, far east of Greenwich."""
    api.post("/v1/customers", {"id": CUSTOMER, "time_zone": ZONES[0]})
    api.deliver([llm_request("far-1", CUSTOMER, cost_usd="1")])


def answer_to(api: Api, method: str, path: str, **rest: Any) -> Any:
    answer = api.send(method, path, None, **rest)
    assert answer.status_code < 500, f"{method} {path} {rest} answered {answer.status_code}: {answer.text[:500]}"
    return answer


@pytest.mark.parametrize(("path", "name", "in_zone"), READS)
def test_a_far_date_in_a_query_is_answered_or_refused(api: Api, path: str, name: str, in_zone: bool) -> None:
    fixed = {"start_date": "2026-03-01", "end_date": "2026-03-02"} if "daily" in path else {}
    fixed |= {"customer": CUSTOMER} if path.startswith("/v1/customer/") else {}
    for text in FAR:
        for zone in ZONES if in_zone else (None,):
            asked = {**fixed, name: text} | ({} if zone is None else {"timezone": zone, "window": "day"})
            answer = answer_to(api, "GET", path.replace("{customer_id}", CUSTOMER), params=asked)
            refused = (404, 422) if path.startswith("/v1") else (400,)  # 404: nothing of that id, or not yet known then
            assert answer.status_code in (200, *refused)


@pytest.mark.parametrize(("method", "path"), BASES)
def test_a_far_date_in_a_command_is_taken_or_refused_and_breaks_no_read(api: Api, method: str, path: str) -> None:
    for text in FAR:
        for body in bodies(path, text):
            fresh = {name: f"{value}-{next(NUMBERS)}" if value == "new" else value for name, value in body.items()}
            status = answer_to(api, method, path, json=fresh).status_code
            assert status in (200, 201, 204, 400, 409, 422)
            named = fresh.get("id", fresh.get("user_id"))
            if status < 300 and "customer" in path and named is not None:
                for read in ("budget", "current-usage", "past-usage", "access", "usage"):
                    answer_to(api, "GET", f"/v1/customers/{named}/{read}")
                answer_to(api, "GET", "/customer/info", params={"end_user_id": named})


def bodies(path: str, text: str) -> list[JsonObject]:
    """The bodies of a command with a date in each member that may hold one."""
    base = next(body for (_, known), body in BASES.items() if known == path)
    if not path.startswith("/v1"):
        return [{**base, "budget_reset_at": text}]
    budgets = [
        {"budget": {"duration": length, "alignment": "anchored", name: text}}
        for length in ("10y", "1s")
        for name in ("anchor", "period_start", "period_end")
    ]
    members: dict[str, list[JsonObject]] = {
        "/v1/customers": [*budgets, {"usage_period": {"duration": "10y", "alignment": "anchored", "anchor": text}}],
        f"/v1/customers/{CUSTOMER}": budgets,
        "/v1/budgets": [{"anchor": text, "alignment": "anchored"}],
        "/v1/prices": [{"effective_from": text}],
        "/v1/discounts": [{"effective_from": text}],
    }
    effective = [] if path in ("/v1/prices", "/v1/discounts") else [{"effective_at": text}]
    return [{**base, **one} for one in (*members.get(path, []), *effective)]


@pytest.mark.parametrize("day", ["9999-12-31", "2200-01-01", "1969-12-31", "0001-01-01"])
@pytest.mark.parametrize("name", ["from", "to", "as_of"])
def test_a_day_outside_the_range_of_instants_is_refused_with_the_rule(api: Api, name: str, day: str) -> None:
    problem = api.refused("GET", f"/v1/customers/{CUSTOMER}/usage?{name}={day}", 422)
    assert (problem["field"], problem["rule"]) == (name, "must be between 1970 and 2200")


def test_the_first_and_the_last_day_of_the_range_are_answered_in_every_zone(api: Api) -> None:
    for zone in ("UTC", *ZONES):
        found = api.get(
            "/v1/usage", **{"from": "1970-01-01", "to": "2199-12-31", "timezone": zone, "meter": "requests"}
        )
        assert [row["value"] for row in found["data"]] == ["1"]
