"""Events with the customer of their subscription: usage is the same whatever comes first, facts or events."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.engine_fixtures import NOON, customer_path
from tests.laws.laboratory import JsonObject, Laboratory, Tenant, examples

CUSTOMERS = ("ann", "bob")
SUBSCRIPTIONS = ("s", "t/ü")
DAYS = 6
#: An own price of one customer: a move changes what its requests cost.
OWN_PRICE = {"provider": "acme", "model": "swift", "customer": "bob", "unit_prices": {"input": "7", "output": "1"}}

Step = tuple[str, Any]


def days_ago(days: float) -> str:
    return (NOON - timedelta(days=days)).isoformat()


@st.composite
def facts(draw: st.DrawFn) -> Step:
    subscription, customer = draw(st.sampled_from(SUBSCRIPTIONS)), draw(st.sampled_from(CUSTOMERS))
    at = days_ago(draw(st.integers(0, DAYS)))
    match draw(st.sampled_from((*["create"] * 4, "end", "terminate", "delete", "customer"))):
        case "create":
            return "post", ("/v1/subscriptions", subscribed(subscription, customer, at))
        case "end":
            ends_at = draw(st.sampled_from((None, days_ago(draw(st.integers(0, DAYS))))))
            return "patch", (f"/v1/subscriptions/{path_of(subscription)}", {"ends_at": ends_at})
        case "terminate":
            return "delete", f"/v1/subscriptions/{path_of(subscription)}?effective_at={path_of(at)}"
        case "delete":
            return "delete", customer_path(customer, f"?effective_at={path_of(at)}")
        case _:
            return "post", ("/v1/customers", {"id": customer, "effective_at": at})


def subscribed(subscription: str, customer: str, at: str) -> JsonObject:
    return {"id": subscription, "customer": customer, "plan": "plain", "effective_at": at}


def path_of(text: str) -> str:
    return customer_path(text).removeprefix("/v1/customers/")


@st.composite
def events(draw: st.DrawFn, identity: int) -> JsonObject:
    subscription = draw(st.sampled_from(SUBSCRIPTIONS))
    is_request = draw(st.booleans())
    request = {"provider": "acme", "model": "swift", "input_tokens": draw(st.integers(0, 10**9))}
    data = request if is_request else {"bytes": draw(st.integers(-3, 9))}
    return {
        "specversion": "1.0",
        "id": f"event-{identity}",
        "source": f"lago/{subscription}",
        "type": "llm.request" if is_request else "disk.sampled",
        "time": days_ago(draw(st.integers(0, DAYS * 24)) / 24),
        "data": data | {"subscription": subscription},
    }


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Step], list[JsonObject], list[int]]:
    """Facts in their order, events, and the number of facts that come before each event."""
    of_facts = draw(st.lists(facts(), min_size=2, max_size=7))
    of_events = [draw(events(number)) for number in range(draw(st.integers(3, 8)))]
    return of_facts, of_events, [draw(st.integers(0, len(of_facts))) for _ in of_events]


def tell(tenant: Tenant, step: Step) -> int:
    """The status with which a fact is answered; whether it is one follows from earlier facts alone."""
    verb, given = step
    path, body = (given, {}) if verb == "delete" else given
    headers = {"Content-Type": "application/merge-patch+json"} if verb == "patch" else {}
    sent = {} if verb == "delete" else {"json": body}
    answered: int = tenant.api.send(verb.upper(), path, None, headers, **sent).status_code
    return answered


def prepared(laboratory: Laboratory) -> Tenant:
    tenant = laboratory.tenant()
    tenant.api.post(
        "/v1/plans", {"code": "plain", "interval": "monthly", "currency": "USD", "effective_at": days_ago(9)}
    )
    for customer in CUSTOMERS:
        if customer != "ann":  # which every tenant has
            tenant.api.post("/v1/customers", {"id": customer, "effective_at": days_ago(8)})
    tenant.api.post("/v1/prices", OWN_PRICE)
    return tenant


def answers(tenant: Tenant) -> JsonObject:
    amounts = tenant.amounts()
    return {
        "amounts": {name: amounts[name] for name in ("sums", "meters")},
        "unsplit": tenant.sums(),
        "standing": tenant.standing(),
    }


@examples(6)
@given(history=histories(), voided=st.sets(st.integers(0, 7)), amended=st.sets(st.integers(0, 7)))
def test_usage_of_subscriptions_is_the_same_whatever_comes_first(
    laboratory: Laboratory,
    history: tuple[list[Step], list[JsonObject], list[int]],
    voided: set[int],
    amended: set[int],
) -> None:
    of_facts, of_events, facts_before = history
    mixed, facts_first = prepared(laboratory), prepared(laboratory)
    statuses = []
    for told in range(len(of_facts) + 1):
        arriving = [number for number, before in enumerate(facts_before) if before == told]
        mixed.deliver([of_events[number] for number in arriving])
        for number in arriving:
            correct(mixed, of_events[number], number in voided, number in amended)
        statuses += [tell(mixed, step) for step in of_facts[told : told + 1]]
    assert [tell(facts_first, step) for step in of_facts] == statuses
    facts_first.deliver(of_events)
    for number, event in enumerate(of_events):
        correct(facts_first, event, number in voided, number in amended)

    assert answers(mixed) == answers(facts_first)
    restored = [event for number, event in enumerate(of_events) if number in voided]
    for event in restored:
        for tenant in (mixed, facts_first):
            tenant.api.post("/v1/events/unvoid", identity(event), 200)
    assert answers(mixed) == answers(facts_first)
    customers = Counter(row["group"]["customer"] for row in mixed.sums(group_by="customer"))
    assert set(customers) <= {None, *CUSTOMERS}
    assert mixed.deliver(of_events)["counts"]["duplicate"] >= len(of_events) - len(amended)


def correct(tenant: Tenant, event: JsonObject, void: bool, amend: bool) -> None:
    """Void an event, amend its time, or both."""
    if void:
        tenant.api.post("/v1/events/void", identity(event), 200)
    if amend:
        earlier = datetime.fromisoformat(event["time"]) - timedelta(days=1)
        tenant.api.post("/v1/events/amend", identity(event) | {"time": earlier.isoformat()}, 200)


def identity(event: JsonObject) -> JsonObject:
    return {"source": event["source"], "id": event["id"]}
