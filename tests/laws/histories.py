"""Random short histories of a tenant: usage, with facts about customers or without, and commands in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.engine_fixtures import customer_path
from tests.laws.laboratory import CUSTOMERS, JsonObject, Laboratory, Tenant, times, usage_event

#: A command may be refused by the state that it meets; that is part of the history.
REFUSED = (404, 409, 422)


@dataclass(frozen=True)
class Step:
    """One request: a batch of events, a list of logs with facts, or a command with its method, path and body."""

    events: tuple[JsonObject, ...] = ()
    logs: tuple[JsonObject, ...] = ()
    method: str = ""
    path: str = ""
    body: JsonObject | None = None


def patches() -> st.SearchStrategy[JsonObject]:
    """Bodies that amend an event, without its identity."""
    data = {
        "model": st.sampled_from(("swift", "unpriced")),
        "input_tokens": st.sampled_from((1, 10**9)),
        "cost_usd": st.sampled_from((None, "0.5")),
        "bytes": st.integers(-3, 3),
        "units": st.sampled_from(({"own": None}, {"own": 2.5}, {"web_searches": 1})),
    }
    given = {"customer": st.sampled_from(CUSTOMERS), "time": times()}
    of_data = st.fixed_dictionaries({}, optional=data)
    return st.fixed_dictionaries({"data": of_data}, optional=given)


@st.composite
def commands(draw: st.DrawFn) -> Step:
    customer = draw(st.sampled_from(CUSTOMERS))
    number = draw(st.integers(0, 5))
    identity = {"source": f"gate/{number % 2}", "id": f"event-{number}"}
    markup = draw(st.sampled_from(("0", "5", "33.3333")))
    price = {"input": draw(st.sampled_from(("0.1", "7"))), "output": "1"}
    choices = (
        Step(method="POST", path="/v1/customers", body={"id": customer, "markup_percentage": markup}),
        Step(
            method="PATCH",
            path=customer_path(customer),
            body={"markup_percentage": markup, "time_zone": "Asia/Kolkata"},
        ),
        Step(method="PATCH", path=customer_path(customer), body={"name": "A. Customer", "metadata": {"seat": markup}}),
        Step(method="DELETE", path=customer_path(customer)),
        Step(method="POST", path=customer_path(customer, "/block")),
        Step(method="POST", path="/v1/events/void", body=identity),
        Step(method="POST", path="/v1/events/unvoid", body=identity),
        *(Step(method="POST", path="/v1/events/amend", body=identity | draw(patches())) for _ in range(3)),
        Step(method="POST", path="/v1/prices", body={"provider": "acme", "model": "unpriced", "unit_prices": price}),
        Step(
            method="POST",
            path="/v1/prices",
            body={"provider": "acme", "model": "swift", "unit_prices": price, "customer": customer},
        ),
        Step(method="POST", path="/v1/discounts", body=draw(discounts(customer))),
        Step(method="POST", path="/v1/budgets", body={"id": "tier", "period_limit_usd": "5", "duration": "1w"}),
        Step(method="PATCH", path=customer_path(customer), body={"budget": {"budget_id": "tier"}}),
    )
    return draw(st.sampled_from(choices))


@st.composite
def discounts(draw: st.DrawFn, customer: str) -> JsonObject:
    """A discount of the tenant or a customer, on a model or on every one, from some time on or always."""
    of_model = draw(st.sampled_from(({}, {"provider": "acme", "model": "swift"})))
    since = {"effective_from": draw(times())} if draw(st.booleans()) else {}
    owner = {"customer": customer} if draw(st.integers(0, 2)) else {}
    return {"percentage": draw(st.sampled_from(("0", "12.5", "100"))), **of_model, **since, **owner}


@st.composite
def deliveries(draw: st.DrawFn) -> Step:
    identities = draw(st.lists(st.integers(0, 5), min_size=1, max_size=4))
    return Step(events=tuple(draw(usage_event(identity)) for identity in identities))


@st.composite
def logged(draw: st.DrawFn) -> Step:
    """Logs that say something of their customer, some of it against the rules; few ids, so that they meet again."""
    return Step(logs=tuple(draw(st.lists(_logs(), min_size=1, max_size=3))))


@st.composite
def _logs(draw: st.DrawFn) -> JsonObject:
    params = draw(
        st.sampled_from(
            (
                {"name": "Ann", "markup_percentage": 10},
                {"markup_percentage": 0, "email": None},
                {"period_budget": 5, "budget_duration": "weekly"},
                {"email": "nobody"},
            )
        )
    )
    number = draw(st.integers(0, 3))
    return {
        "unique_id": f"log-{number}",
        "customer_identifier": draw(st.sampled_from(CUSTOMERS)),
        "timestamp": draw(times()),
        "cost": number,
        "customer_params": params,
    }


def histories(at_most: int = 14) -> st.SearchStrategy[list[Step]]:
    return st.lists(st.one_of(deliveries(), logged(), commands()), min_size=1, max_size=at_most)


def live_through(laboratory: Laboratory, tenant: Tenant, steps: Sequence[Step]) -> list[JsonObject]:
    """Perform the steps, one second apart; return the receipts of the deliveries."""
    receipts = []
    for step in steps:
        laboratory.clock.advance(seconds=1)
        if step.events:
            receipts.append(tenant.deliver(step.events))
            continue
        if step.logs:
            sent = tenant.api.send("POST", "/respan/api/request-logs/create/", 200, json=list(step.logs))
            receipts.append(sent.json())
            continue
        answer = tenant.api.send(step.method, step.path, None, **({} if step.body is None else {"json": step.body}))
        refused = answer.status_code in REFUSED or (
            answer.status_code == 422 and answer.json()["field"] == "effective_from"  # before the life of the customer
        )
        assert answer.status_code < 300 or refused, answer.text
    return receipts


def all_answers(tenant: Tenant) -> dict[str, Any]:
    """The answers to all queries about a tenant."""
    told: dict[str, Any] = {"amounts": tenant.amounts(), "standing": tenant.standing()}
    for outcome in ("rejected", "conflict", "duplicate"):
        told[outcome] = tenant.api.pages("/v1/rejected", outcome=outcome)
    told["voided too"] = tenant.api.pages("/v1/events", voided="true")
    told["customers"] = tenant.api.pages("/v1/customers")
    for customer in [customer["id"] for customer in told["customers"]]:
        told[customer] = {
            rest: tenant.api.get(customer_path(customer, rest))
            for rest in ("", "/current-usage", "/past-usage", "/budget", "/access", "/history")
        }
    return told
