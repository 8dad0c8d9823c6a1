"""What moved usage between two points is answered by GET /v1/diff, and what cannot be asked is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import DEFAULT_SCOPE, Scope
from tests.api.native.routes.test_usage import event
from tests.engine_fixtures import Api, JsonObject, SettableClock, customer_path, http, key_for

NOTHING: JsonObject = {
    "requests": 0,
    "input_tokens": 0,
    "cached_input_tokens": 0,
    "cache_write_tokens": 0,
    "output_tokens": 0,
    "reasoning_tokens": 0,
    "total_tokens": 0,
    "cost_usd": "0",
    "reported_cost_usd": "0",
    "cost_unknown_events": 0,
    "units": {},
}
ONE: JsonObject = {**NOTHING, "requests": 1, "input_tokens": 100, "output_tokens": 10, "total_tokens": 110}


@pytest.fixture
def other(engine: EmbeddedEngine) -> Iterator[Api]:
    with http(engine, key_for(engine, Scope("stranger", "prod"))) as api:
        yield api


def test_a_disputed_period_is_explained_by_its_causes(api: Api, clock: SettableClock) -> None:
    since = api.deliver(
        [event("d1", "dora", "2026-03-02T00:00:00Z", "2"), event("d2", "dora", "2026-03-03T00:00:00Z", "3")]
    )["position"]
    recorded_at = clock().isoformat(timespec="microseconds").replace("+00:00", "Z")
    late = api.deliver([event("d3", "dora", "2026-03-04T00:00:00Z", "1")])["position"]
    void = {"source": "gateway", "id": "d1", "reason": "sent twice"}
    voided = api.post("/v1/events/void", void, 200)["corrections"][0]
    markup = {"markup_percentage": "50", "effective_at": "2026-03-01T00:00:00Z"}
    api.patch("/v1/customers/dora", markup)

    found = api.get("/v1/diff", since=since, customer="dora", period_of="2026-03")
    actor = voided["actor"]
    month = {"start": "2026-03-01T00:00:00.000000Z", "end": "2026-04-01T00:00:00.000000Z"}
    moved = {
        "late": {**ONE, "cost_usd": "1", "reported_cost_usd": "1"},
        "voided": {name: -value if isinstance(value, int) else value for name, value in ONE.items()}
        | {"cost_usd": "-2", "reported_cost_usd": "-2"},
        "markup": {**NOTHING, "reported_cost_usd": "2"},
    }
    common = {"customer": "dora", "recorded_at": recorded_at, "run": None}
    assert found == {
        "position": found["position"],
        "now": found["now"],
        "customer": "dora",
        "before": {
            "position": since,
            "recorded_at": recorded_at,
            **month,
            "usage": sums(api, "dora", month, since),
        },
        "after": {
            "position": found["position"],
            "recorded_at": recorded_at,
            **month,
            "usage": sums(api, "dora", month, found["position"]),
        },
        "difference": {**NOTHING, "cost_usd": "-1", "reported_cost_usd": "1"},
        "by_kind": [
            {"kind": "late", "run": None, "events": 1, "moved": moved["late"]},
            {"kind": "voided", "run": None, "events": 1, "moved": moved["voided"]},
            {"kind": "markup", "run": None, "events": None, "moved": moved["markup"]},
        ],
        "data": [
            {
                **common,
                "kind": "late",
                "position": late,
                "event": {"source": "gateway", "id": "d3", "time": "2026-03-04T00:00:00.000000Z"},
                "fact": None,
                "actor": None,
                "reason": None,
                "moved": moved["late"],
            },
            {
                **common,
                "kind": "voided",
                "position": late + 1,
                "event": {"source": "gateway", "id": "d1", "time": "2026-03-02T00:00:00.000000Z"},
                "fact": None,
                "actor": actor,
                "reason": "sent twice",
                "moved": moved["voided"],
            },
            {
                **common,
                "kind": "markup",
                "position": late + 2,
                "event": None,
                "fact": {
                    "kind": "customer.updated",
                    "effective_at": "2026-03-01T00:00:00.000000Z",
                    "fields": {"markup_percentage": "50"},
                },
                "actor": actor,
                "reason": None,
                "moved": moved["markup"],
            },
        ],
        "next_cursor": None,
    }


def asked(month: JsonObject) -> dict[str, str]:
    return {"from": month["start"], "to": month["end"]}


def sums(api: Api, customer: str, month: JsonObject, as_of: int) -> JsonObject:
    """What usage answers for one window."""
    row = api.get(customer_path(customer, "/usage"), **asked(month), as_of=as_of)["data"][0]
    return {name: value for name, value in row.items() if name in NOTHING}


def test_pages_follow_one_another_and_tell_the_same_sums(api: Api) -> None:
    since = api.deliver([event("p0", "pia", "2026-03-02T00:00:00Z")])["position"]
    api.deliver([event(f"p{number}", "pia", "2026-03-03T00:00:00Z", "0.25") for number in range(1, 6)])
    of_march = {"since": since, "customer": "pia", "period_of": "2026-03-31"}
    pages = [api.get("/v1/diff", **of_march, limit=2)]
    while pages[-1]["next_cursor"] is not None:
        pages.append(api.get("/v1/diff", **of_march, limit=2, cursor=pages[-1]["next_cursor"]))
    assert [[cause["event"]["id"] for cause in page["data"]] for page in pages] == [["p1", "p2"], ["p3", "p4"], ["p5"]]
    assert all(page["by_kind"] == pages[0]["by_kind"] for page in pages)
    assert pages[0]["difference"]["cost_usd"] == "1.25"


def test_by_default_the_current_period_of_the_customer_is_explained(api: Api, clock: SettableClock) -> None:
    api.post("/v1/customers", {"id": "weekly", "usage_period": {"duration": "1w"}, "time_zone": "Asia/Kolkata"})
    usage = api.get("/v1/customers/weekly/usage")
    found = api.get("/v1/diff", since=usage["position"], customer="weekly")
    span = {"start": usage["from"], "end": usage["to"]}
    assert [{name: found[point][name] for name in span} for point in ("before", "after")] == [span, span]
    assert (found["difference"], found["by_kind"], found["data"]) == (NOTHING, [], [])
    days = api.get("/v1/diff", since="2026-03-09", customer="weekly", **{"from": "2026-03-01", "to": "2026-03-02"})
    assert (days["before"]["start"], days["after"]["end"]) == (
        "2026-02-28T18:30:00.000000Z",
        "2026-03-01T18:30:00.000000Z",
    )


def test_a_point_may_be_a_day_or_an_instant(api: Api, clock: SettableClock) -> None:
    api.deliver([event("t1", "tom", "2026-03-02T00:00:00Z")])
    clock.advance(days=1)
    noon = clock().isoformat()
    clock.advance(hours=2)
    api.deliver([event("t2", "tom", "2026-03-03T00:00:00Z", "0.5")])
    march = {"customer": "tom", "period_of": "2026-03"}
    moved = [
        api.get("/v1/diff", since=one, **march)["difference"]["cost_usd"] for one in (noon, "2026-03-11", "1980-01-01")
    ]
    assert moved == ["0.5", "0.5", "2"]
    assert api.get("/v1/diff", since="1980-01-01", as_of=noon, **march)["difference"]["cost_usd"] == "1.5"


def test_the_causes_of_all_customers_name_each(api: Api) -> None:
    since = api.deliver([event("m1", "max", "2026-02-02T00:00:00Z")])["position"]
    api.deliver([event(f"{one} 2", one, "2026-02-03T00:00:00Z", "0.5") for one in ("max", "moe/é")])
    found = api.get("/v1/diff", since=since, period_of="2026-02")
    assert [(one["customer"], one["event"]["id"]) for one in found["data"]] == [("max", "max 2"), ("moe/é", "moe/é 2")]
    one = api.get("/v1/diff", since=since, period_of="2026-02", customer="moe/é")
    assert one["data"] == found["data"][1:]


def test_another_tenant_sees_nothing_of_it(api: Api, other: Api) -> None:
    api.deliver([event("o1", "otto", "2026-03-02T00:00:00Z")])
    found = other.get("/v1/diff", since=0, period_of="2026-03")
    assert (found["difference"], found["data"]) == (NOTHING, [])
    refused = other.send("GET", "/v1/diff", 404, params={"since": 0, "customer": "otto"}).json()
    assert refused["detail"] == "customer 'otto' does not exist"


def test_a_key_that_may_only_ingest_is_refused(engine: EmbeddedEngine) -> None:
    with http(engine, key_for(engine, DEFAULT_SCOPE, "ingest")) as ingesting:
        assert ingesting.send("GET", "/v1/diff", 403, params={"since": 0}).json()["type"].endswith("forbidden")
    with http(engine, key_for(engine, DEFAULT_SCOPE, "read")) as reading:
        assert reading.get("/v1/diff", since=0)["by_kind"] is not None


@pytest.mark.parametrize(
    ("params", "field", "rule"),
    [
        ({}, "since", "is required"),
        ({"since": "99999999"}, "since", "must not be later than the last folded position"),
        ({"since": "2", "as_of": "1"}, "since", "must not be later than as_of"),
        ({"since": "2026-03-05", "as_of": "2026-03-04"}, "since", "must not be later than as_of"),
        ({"since": "2099-01-01"}, "since", "must not be in the future"),
        ({"since": "yesterday"}, "since", "must be an RFC 3339 instant, a day or a log position"),
        ({"since": "1", "as_of": "today"}, "as_of", "must be an RFC 3339 instant, a day or a log position"),
        ({"since": "1", "from": "today"}, "from", "must be an RFC 3339 instant or a day"),
        ({"since": "1", "period_of": "March"}, "period_of", "must be an RFC 3339 instant, a day or a month"),
        ({"since": "1", "from": "2026-03-02", "to": "2026-03-02"}, "to", "must be after from"),
        ({"since": "1", "period_of": "2026-02-30"}, "period_of", "must be an instant, a day or a month that exists"),
        ({"since": "1", "period_of": "2026-13"}, "period_of", "must be an instant, a day or a month that exists"),
        ({"since": "1", "period_of": "0001-01-01T00:00:00Z"}, "period_of", "must be between 1970 and 2200"),
        (
            {"since": "1", "period_of": "2026-03", "to": "2026-03-02"},
            "period_of",
            "must not be given together with from or to",
        ),
        ({"since": "1", "cursor": "x"}, "cursor", "must be the next_cursor of an earlier page of this list"),
        ({"since": "1", "customer": ".."}, "customer", "must not be '.' or '..'"),
        ({"since": "1", "start": "2026-03-01"}, "start", "is not known here"),
        ({"since": "1", "limit": "0"}, "limit", "input should be greater than or equal to 1"),
    ],
)
def test_what_cannot_be_asked_names_field_and_rule(api: Api, params: JsonObject, field: str, rule: str) -> None:
    problem = api.send("GET", "/v1/diff", 422, params=params).json()
    assert (problem["field"], problem["rule"]) == (field, rule)


def test_a_customer_that_is_not_known_is_not_found(api: Api, clock: SettableClock) -> None:
    assert api.send("GET", "/v1/diff", 404, params={"since": 0, "customer": "nobody"}).json()["title"] == "Not found"
    before = api.get("/v1/usage")["position"]
    api.deliver([event("l1", "later", "2026-03-02T00:00:00Z")])
    params: JsonObject = {"since": 0, "as_of": before, "customer": "later"}
    refused = api.send("GET", "/v1/diff", 404, params=params).json()
    assert refused["detail"] == "customer 'later' was not yet known then"
    arrived = api.get("/v1/diff", since=before, customer="later", period_of="2026-03")
    assert Decimal(arrived["difference"]["cost_usd"]) == Decimal("1.5")
