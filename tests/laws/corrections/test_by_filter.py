"""A correction by filter is what single corrections are; its preview is what it does, and its revert undoes that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from tests.engine_fixtures import NOON, Api, JsonObject, customer_path, llm_request
from tests.laws.laboratory import METER_CODES, Laboratory, Tenant, examples

CUSTOMERS: Final = ("ann", "bob", "cy")
MODELS: Final = ("swift", "unpriced", "own")
SOURCES: Final = ("gateway", "load test")
DAYS: Final = st.integers(-70, 0)
CUSTOMER: Final = st.fixed_dictionaries(
    {},
    optional={
        "markup_percentage": st.sampled_from(("10", "33.333333")),
        "time_zone": st.sampled_from(("Asia/Kolkata", "America/New_York")),
        "usage_period": st.sampled_from(({"duration": "1w"}, {"duration": "36h", "alignment": "anchored"})),
        "budget": st.just({"total_limit_usd": "0.000003", "period_limit_usd": "1", "duration": "30d"}),
    },
)

PLAN: Final = {
    "code": "plan",
    "interval": "weekly",
    "currency": "USD",
    "effective_at": (NOON - timedelta(days=90)).isoformat(),
    "charges": [
        {"code": "tokens", "meter": "total_tokens", "price": {"model": "standard", "amount": "2"}},
        {"code": "disk", "meter": "disk_sum", "price": {"model": "standard", "amount": "0.07"}},
    ],
}


def at(days: int) -> str:
    return (NOON + timedelta(days=days, hours=days % 5)).isoformat()


@st.composite
def usage(draw: st.DrawFn, number: int) -> JsonObject:
    source, time = draw(st.sampled_from(SOURCES)), at(draw(DAYS))
    customer = draw(st.sampled_from(CUSTOMERS))
    if draw(st.integers(0, 5)) == 0:
        data: JsonObject = {"bytes": draw(st.integers(1, 9)), "kind": draw(st.sampled_from("ab"))}
        event = llm_request(str(number), customer, None) | {"type": "disk.sampled", "data": data}
        return event | {"source": source, "time": time}
    data = {"model": draw(st.sampled_from(MODELS)), "input_tokens": draw(st.integers(0, 999))}
    data |= {"tags": draw(st.sampled_from(([], ["test"], ["test", "prod"]))), "web_searches": draw(st.integers(0, 1))}
    if draw(st.integers(0, 2)) == 0:
        data["cost_usd"] = draw(st.sampled_from(("0", "0.000000000001", "4")))
    if number % 4 == 3:
        data["parent_request"] = "0"
    return llm_request(str(number), customer, None, **data) | {"source": source, "time": time}


@st.composite
def filters(draw: st.DrawFn) -> JsonObject:
    """A filter, of which most conditions hold for half of the events."""
    asked: JsonObject = {"from": at(-1000)}
    for name, values in (
        ("customers", (*CUSTOMERS, "nobody")),
        ("sources", SOURCES),
        ("models", MODELS),
        ("types", ("llm.request", "disk.sampled")),
        ("tags", ("test", "prod")),
    ):
        if draw(st.integers(0, 3)) == 0:
            asked[name] = draw(st.lists(st.sampled_from(values), min_size=1, max_size=2))
    if draw(st.integers(0, 2)) == 0:
        asked["from"] = at(draw(DAYS))
    return asked


def is_in(asked: JsonObject, event: JsonObject) -> bool:
    data = event["data"]
    return (
        event["time"] >= asked["from"]
        and event["customer"] in asked.get("customers", CUSTOMERS)
        and event["source"] in asked.get("sources", SOURCES)
        and event["type"] in asked.get("types", (event["type"],))
        and ("models" not in asked or data.get("model") in asked["models"])
        and ("tags" not in asked or bool(set(asked["tags"]) & set(data.get("tags", ()))))
    )


def shown(tenant: Tenant) -> list[Any]:
    """What can be asked about numbers, without the positions and times at which it was asked."""
    rest = ("/current-usage", "/past-usage", "/budget", "/access", "/charges", "")
    answers = [tenant.api.send("GET", customer_path(one, end), None).json() for one in CUSTOMERS for end in rest]
    answers += [{"sums": tenant.sums(at(-100), at(1), group_by="customer,model,tag", window="day")}]
    answers += [{"meter": tenant.sums(at(-100), at(1), meter=code, group_by="customer")} for code in METER_CODES]
    answers += [{"events": tenant.standing()}, *tenant.api.pages("/v1/customers")]
    return [{name: value for name, value in one.items() if name not in ("position", "now")} for one in answers]


def told(tenant: Tenant, customers: Sequence[JsonObject], events: Sequence[JsonObject]) -> None:
    for customer in customers:
        tenant.api.post("/v1/customers", customer)
    tenant.api.post("/v1/plans", PLAN)
    subscribed = {"plan": "plan", "customer": "bob", "effective_at": at(-75)}
    tenant.api.post("/v1/subscriptions", {"id": "of bob", **subscribed})
    tenant.deliver(events)
    tenant.api.post("/v1/events/void", {"source": events[1]["source"], "id": events[1]["id"]}, 200)
    tenant.api.post("/v1/prices", {"model": "own", "provider": "acme", "unit_prices": {"input": "7", "output": "1"}})


def histories(data: st.DataObject) -> tuple[list[JsonObject], list[JsonObject]]:
    customers = [{"id": one, **data.draw(CUSTOMER), "effective_at": at(-80)} for one in CUSTOMERS[1:]]
    return customers, [data.draw(usage(number)) for number in range(data.draw(st.integers(6, 12)))]


def committed(tenant: Tenant, name: str, asked: JsonObject) -> JsonObject:
    tenant.api.post("/v1/corrections", {"name": name, **asked})
    previewed_at = tenant.api.get(f"/v1/corrections/{name}/preview")["previewed_at"]
    done: JsonObject = tenant.api.post(f"/v1/corrections/{name}/commit", {"previewed_at": previewed_at}, 200)
    return done


def correct(tenant: Tenant, verb: str, events: Sequence[JsonObject]) -> None:
    for event in events:
        tenant.api.post(f"/v1/events/{verb}", {"source": event["source"], "id": event["id"]}, 200)


@examples(8)
@given(data=st.data())
def test_a_correction_by_filter_equals_single_corrections(laboratory: Laboratory, data: st.DataObject) -> None:
    by_filter, singly = laboratory.tenant(), laboratory.tenant()
    customers, events = histories(data)
    void, restore = data.draw(filters()), data.draw(filters())
    for tenant in (by_filter, singly):
        told(tenant, customers, events)
    committed(by_filter, "void", {"action": "void", **void})
    correct(singly, "void", [event for event in events if is_in(void, of_delivery(event))])
    assert shown(by_filter) == shown(singly)
    committed(by_filter, "restore", {"action": "restore", **restore})
    correct(singly, "unvoid", [event for event in events if is_in(restore, of_delivery(event))])
    assert shown(by_filter) == shown(singly)


def assert_preview_commit_and_revert_agree(tenant: Tenant, asked: JsonObject) -> None:
    """The preview of a run is the difference that its commit makes, and its revert leaves nothing behind."""
    tenant.api.post("/v1/corrections", {"name": "law", **asked})
    preview = tenant.api.get("/v1/corrections/law/preview", limit=1000)
    assert tenant.api.pages("/v1/corrections/law/preview", limit=1) == preview["data"]
    before, everything = shown(tenant), total(tenant)
    for one in preview["data"]:
        assert numbers(tenant.api, one) == numbers_of(one, "before")
    previewed_at = preview["previewed_at"]
    done = tenant.api.post("/v1/corrections/law/commit", {"previewed_at": previewed_at}, 200)["committed"]
    for one in preview["data"]:
        assert numbers(tenant.api, one) == numbers_of(one, "after")
    grown = [now - then for now, then in zip(total(tenant), everything, strict=True)]
    assert grown == [
        sum((amounts(one)[place] for one in preview["data"]), Decimal(0)) for place in range(len(everything))
    ]
    assert (done["events"], done["difference_usd"]) == (preview["changed_events"], preview["difference_usd"])
    assert [Decimal(done[one]) for one in ("difference_usd", "cost_unknown_events")] == [grown[1], grown[3]]
    undone = tenant.api.post("/v1/corrections/law/revert", None, 200)["reverted"]
    assert [Decimal(undone[one]) for one in ("difference_usd", "cost_unknown_events")] == [-grown[1], -grown[3]]
    assert shown(tenant) == before


def of_delivery(event: JsonObject) -> JsonObject:
    return event | {"customer": event["subject"]}


@examples(8)
@given(data=st.data())
def test_a_preview_is_the_difference_that_its_commit_makes_and_its_revert_undoes(
    laboratory: Laboratory, data: st.DataObject
) -> None:
    tenant = laboratory.tenant()
    told(tenant, *histories(data))
    if data.draw(st.booleans()):
        committed(tenant, "before", {"action": "void", **data.draw(filters())})
    asked = {"action": data.draw(st.sampled_from(("void", "restore"))), **data.draw(filters())}
    assert_preview_commit_and_revert_agree(tenant, asked)


def numbers(api: Api, period: JsonObject) -> list[Decimal]:
    """Requests, cost, reported cost and events of unknown cost of a customer in a period."""
    span = {"from": period["start"], "to": period["end"]}
    rows = api.send("GET", customer_path(period["customer"], "/usage"), None, params=span).json().get("data", [])
    return summed(rows)


def numbers_of(period: JsonObject, member: str) -> list[Decimal]:
    costs = [period[name][f"{member}_usd"] for name in ("cost_usd", "reported_cost_usd")]
    return [Decimal(one) for one in (period["requests"][member], *costs, period["cost_unknown_events"][member])]


def amounts(period: JsonObject) -> list[Decimal]:
    return numbers_of(period, "difference")


def total(tenant: Tenant) -> list[Decimal]:
    return summed(tenant.sums(at(-1000), at(2)))


def summed(rows: Sequence[JsonObject]) -> list[Decimal]:
    names = ("requests", "cost_usd", "reported_cost_usd", "cost_unknown_events")
    return [sum((Decimal(row[name]) for row in rows), Decimal(0)) for name in names]
