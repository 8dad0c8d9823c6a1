"""Law 10: what a read answered, the same read as of its position, at its time, answers for ever after.

Histories are told to fresh tenants of one engine, with time passing between two steps, so that months end. After each
step some questions are asked, by every GET route of every API that shows numbers. When everything has been told, each
is asked again. Answers are compared whole; of an error the text may tell what became known later.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import Scope
from tests.engine_fixtures import NOON, Api, JsonObject, SettableClock, customer_path, engine_on, http, key_for
from tests.golden.asking import get_routes
from tests.laws.laboratory import examples

CUSTOMERS: Final = ("ann", "b/ö", "cy")
BUDGETS: Final = ("gold", "silver")
METER: Final = "disk"
PLANS: Final = ("startup", "growth")
SUBSCRIPTIONS: Final = ("first sub", "second sub")
COUPONS: Final = ("welcome", "loyal")
SHUTTLE: Final = "/promptshuttle/api/v1"
SHUTTLE_CUSTOMER: Final = f"{SHUTTLE}/customers/{{customer_id:segment}}"
LAGO: Final = "/lago/api/v1"
LAGO_CHARGE: Final = f"{LAGO}/plans/{{code:segment}}/charges/{{charge_code:segment}}"
LAGO_CUSTOMER: Final = f"{LAGO}/customers/{{external_customer_id:segments}}"
MODELS: Final = ("swift", "slow")
RUNS: Final = ("first", "second")
#: The routes of what usage costs by plans.
OF_CHARGING: Final = (
    f"{LAGO}/subscriptions/{{external_id:segments}}",
    *(f"{LAGO_CUSTOMER}/{one}" for one in ("current_usage", "past_usage")),
    "/v1/plans",
    "/v1/plans/{code:segment}",
    "/v1/subscriptions",
    "/v1/subscriptions/{subscription_id:segment}",
    "/v1/customers/{customer_id:segment}/charges",
    "/v1/coupons/{code:segment}",
    "/v1/applied-coupons",
    f"{LAGO}/applied_coupons",
)
#: Stands for the last position of the log.
LAST: Final = -1
IDENTITIES: Final = tuple(f"event {number}" for number in range(6))
#: The routes of one customer in the Respan dialect, without the slash at their ends.
OF_RESPAN: Final = tuple(f"/respan/api/{one}/{{customer_identifier:segments}}" for one in ("users", "user/detail"))
#: Questions asked after each step.
ASKED_AT_ONCE: Final = 2
STEPS_MAX: Final = 8
#: Answers that a command may get from the state that it meets, which is part of the history.
REFUSED: Final = (404, 409, 422)
#: The moments of facts and of usage, in days before the step that tells them.
DAYS_BACK: Final = st.sampled_from((0, 0, 1, 9, 40))
#: The routes that show no numbers, or none that the log tells.
NOT_ASKED: Final = {
    "/": "a page with first calls",
    "/openapi.json": "a document",
    "/lago/openapi.json": "a document",
    "/litellm/openapi.json": "a document",
    "/promptshuttle/openapi.json": "a document",
    "/respan/openapi.json": "a document",
    "/schemas/usage-event.json": "a document",
    "/docs": "a page",
    "/docs/{name}": "files of a library",
    "/problems": "a page",
    "/problems/{code}": "pages",
    "/lago/api/v1/customers/{external_customer_id:segments}/portal_url": "a link, which no two answers share",
    "/portal/{token:segment}": "a page for people, of what is known now",
    "/healthz": "health",
    "/readyz": "how the fold stands",
    "/metrics": "measurements of the process",
    "/v1/operations/status": "sizes, lag and partitions, for the operator",
    "/v1/sources": "how far partitions were read, for the operator",
    "/v1/keys": "API keys, which count from when they are issued",
    "/health/liveliness": "health",
    "/api/v1": "another API's path, which says so",
    "/api/v1/{rest:path}": "another API's paths, which say so",
    "/chat/completions": "no gateway, which says so",
    "/completions": "no gateway, which says so",
    "/v1/chat/completions": "no gateway, which says so",
    "/v1/completions": "no gateway, which says so",
    "/v1/responses": "no gateway, which says so",
}

Question = tuple[str, str, dict[str, str]]


@dataclass(frozen=True)
class Step:
    """What is told at one moment, so many hours after the step before it: events, or one command."""

    hours: int
    events: tuple[JsonObject, ...] = ()
    command: tuple[str, str, JsonObject | None] | None = None


# -- what is told. Moments are days before the step; `Office` makes instants of them.


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


@st.composite
def usage(draw: st.DrawFn) -> JsonObject:
    data: JsonObject = {"provider": "acme", "model": draw(one_of(*MODELS)), "input_tokens": draw(st.integers(1, 9))}
    if draw(st.booleans()):
        data["cost_usd"] = draw(one_of("1", "2.5"))
    sample = {"bytes": draw(st.integers(1, 9)), "zone": draw(one_of("eu", "us")), "kind": draw(one_of("fast", "slow"))}
    of_request = draw(st.integers(0, 3)) > 0
    return {
        "specversion": "1.0",
        "id": draw(one_of(*IDENTITIES)),
        "source": "gateway",
        "type": "llm.request" if of_request else "disk.sampled",
        "subject": draw(one_of(*CUSTOMERS)),
        "time": draw(DAYS_BACK),
        "data": data if of_request else sample,
    }


def of_customer() -> st.SearchStrategy[JsonObject]:
    """Usage of the first customer; some of it names a subscription."""
    named = one_of(None, None, *SUBSCRIPTIONS)
    return st.builds(
        lambda event, name: {
            **event,
            "subject": CUSTOMERS[0],
            "data": event["data"] | ({} if name is None else {"subscription": name}),
        },
        usage(),
        named,
    )


PERIODS: Final = one_of({"duration": "1y"}, {"duration": "1w"}, {"duration": "36h", "alignment": "anchored"}, None)
LIMITS: Final = one_of(
    {"period_limit_usd": "3", "duration": "1mo"},
    {"total_limit_usd": "2"},
    {"model_limits": {"swift": {"limit_usd": "1", "duration": "1w"}}},
    {"soft_limit_usd": "1", "duration": "36h", "alignment": "anchored"},
)
OF_CUSTOMERS: Final = (
    st.builds(lambda markup: {"markup_percentage": markup}, one_of("0", "10", None))
    | st.builds(lambda zone: {"time_zone": zone}, one_of("Asia/Kolkata", "America/New_York", None))
    | st.builds(lambda periods: {"usage_period": periods}, PERIODS)
    | st.builds(lambda limits: {"budget": limits}, LIMITS)
    | st.builds(lambda budget: {"budget": {"budget_id": budget}}, one_of(*BUDGETS, None))
    | one_of({"name": "Ann"}, {"active": False}, {"active": True}, {"metadata": {"a": 1}})
)


#: Logs of Respan's clients that say something of their customer. `timestamp`: in days before the step.
LOGS: Final = st.builds(
    lambda number, days, params: {"unique_id": f"{number}", "timestamp": days, "cost": 1, "customer_params": params},
    st.integers(0, 3),
    DAYS_BACK,
    one_of(
        {"name": "Bea", "markup_percentage": 50},
        {"period_budget": 2, "budget_duration": "weekly"},
        {"name": None, "total_budget": 3},
    ),
)


#: Customers as Lago's clients set them.
OF_LAGO: Final = one_of(
    {"name": "Ann", "country": "FR", "metadata": [{"key": "a", "value": "2", "display_in_invoice": True}]},
    {"metadata": [{"key": "b", "value": "1", "display_in_invoice": False}], "country": None},
    {"timezone": "Asia/Kolkata", "billing_configuration": {"document_locale": "fr"}, "account_type": "partner"},
)


#: Events of Lago's clients, at the moment of the step.
EVENTS_OF_LAGO: Final = st.builds(
    lambda number, subscription: {
        "transaction_id": IDENTITIES[number],
        "external_subscription_id": subscription,
        "code": "disk.sampled",
        "properties": {"bytes": number + 1},
    },
    st.integers(0, 2),
    one_of(*SUBSCRIPTIONS),
)


#: What amendments change. `time`: in days before the step.
PATCHES: Final = one_of(
    {"data": {"input_tokens": 7}},
    {"data": {"model": "slow", "cost_usd": None}},
    {"data": {"cost_usd": "4"}},
    {"data": {"bytes": 8, "zone": "us"}},
    {"customer": "cy"},
    {"customer": "b/ö", "time": 9},
    {"time": 40},
)


METERED: Final = one_of(
    {"code": "tokens", "meter": "total_tokens", "price": {"model": "standard", "amount": "0.5"}},
    {"code": "money", "meter": "cost_usd", "price": {"model": "percentage", "rate": "10", "fixed_amount": "0.3"}},
    {
        "code": METER,
        "meter": METER,
        "group_by": ["zone"],
        "minimum_amount": "20",
        "price": {"model": "package", "amount": "2", "package_size": 4},
    },
)


#: What a coupon takes off.
TAKEN_OFF: Final = one_of(
    {"percentage": "12.5", "frequency": "once", "meters": [METER]},
    {"percentage": "50", "frequency": "recurring", "periods": 2, "plans": [PLANS[0]]},
    {"amount": "3", "currency": "USD", "frequency": "once"},
    {"amount": "7", "currency": "JPY", "frequency": "forever"},
)


@st.composite
def of_coupons(draw: st.DrawFn) -> tuple[str, str, JsonObject | None]:
    """A command about a coupon, or one that a customer has applied."""
    since: JsonObject = {"effective_at": draw(DAYS_BACK)} if draw(st.booleans()) else {}
    code, of_customer = draw(one_of(*COUPONS)), customer_path(draw(one_of(*CUSTOMERS[:2])), "/coupons")
    choices: list[tuple[str, str, JsonObject | None]] = [
        ("POST", "/v1/coupons", {"code": code, **draw(TAKEN_OFF), **since}),
        ("PATCH", f"/v1/coupons/{code}", {"name": draw(one_of("First", None)), **since}),
        ("DELETE", f"/v1/coupons/{code}", None),
        *[("POST", of_customer, {"coupon": code, **since}) for _ in range(3)],
        ("DELETE", f"{of_customer}/{draw(st.integers(1, 2))}", None),
    ]
    return draw(st.sampled_from(choices))


@st.composite
def of_plans(draw: st.DrawFn) -> tuple[str, str, JsonObject | None]:
    """A command about a plan, a subscription or a coupon."""
    if draw(st.integers(0, 3)) == 0:
        return draw(of_coupons())
    since: JsonObject = {"effective_at": draw(DAYS_BACK)} if draw(st.booleans()) else {}
    code, subscription = draw(one_of(*PLANS)), draw(one_of(*SUBSCRIPTIONS))
    charges = draw(st.lists(METERED, max_size=3, unique_by=lambda charge: charge["code"]))
    created = {"code": code, "interval": draw(one_of("weekly", "monthly")), "currency": draw(one_of("USD", "JPY"))}
    subscribed = {"customer": draw(one_of(*CUSTOMERS)), "billing": draw(one_of("calendar", "anniversary"))}
    choices: list[tuple[str, str, JsonObject | None]] = [
        ("POST", "/v1/plans", {**created, "charges": charges, **since}),
        ("PATCH", f"/v1/plans/{code}", {"charges": charges, **since}),
        ("DELETE", f"/v1/plans/{code}", None),
        *[("POST", "/v1/subscriptions", {"id": subscription, "plan": code, **subscribed, **since}) for _ in range(2)],
        ("PATCH", f"/v1/subscriptions/{quote(subscription)}", {"plan": code, **since}),
        ("PATCH", f"/v1/subscriptions/{quote(subscription)}", {"ends_at": draw(one_of(1, 9, None)), **since}),
        ("DELETE", f"/v1/subscriptions/{quote(subscription)}", None),
    ]
    return draw(st.sampled_from(choices))


@st.composite
def of_backfills(draw: st.DrawFn) -> tuple[str, str, JsonObject | None]:
    """A command about a backfill, or an event for one."""
    run = draw(one_of(*RUNS))
    ever = {"from": "2020-01-01T00:00:00Z", "to": "2190-01-01T00:00:00Z"}
    choices: list[tuple[str, str, JsonObject | None]] = [
        ("POST", "/v1/backfills", {"name": run, **ever, "mode": draw(one_of("add", "replace"))}),
        *[("POST", f"/v1/backfills/{run}/events", draw(usage())) for _ in range(3)],
        *[("POST", f"/v1/backfills/{run}/commit", {"previewed_at": LAST}) for _ in range(2)],
        ("POST", f"/v1/backfills/{run}/revert", None),
        ("POST", f"/v1/backfills/{run}/cancel", None),
    ]
    return draw(st.sampled_from(choices))


@st.composite
def commands(draw: st.DrawFn) -> tuple[str, str, JsonObject | None]:
    if draw(st.integers(0, 3)) == 0:
        return draw(of_plans())
    run = draw(one_of(*RUNS))
    customer, budget, identity = draw(one_of(*CUSTOMERS)), draw(one_of(*BUDGETS)), draw(one_of(*IDENTITIES))
    since: JsonObject = {"effective_at": draw(DAYS_BACK)} if draw(st.booleans()) else {}
    of_customer = {name: value for name, value in draw(OF_CUSTOMERS).items() if name != "active"}
    price = {"provider": "acme", "model": draw(one_of(*MODELS)), "unit_prices": {"input": "7", "output": "1"}}
    choices: list[tuple[str, str, JsonObject | None]] = [
        ("POST", "/v1/customers", {"id": customer, **of_customer, **since}),
        ("PATCH", customer_path(customer), {**draw(OF_CUSTOMERS), **since}),
        ("PATCH", customer_path(customer), {**draw(OF_CUSTOMERS), **since}),
        ("POST", customer_path(customer, draw(one_of("/block", "/unblock"))), since),
        ("DELETE", customer_path(customer), None),
        ("POST", "/v1/budgets", {"id": budget, **draw(LIMITS), **since}),
        ("PATCH", f"/v1/budgets/{budget}", {**draw(LIMITS), **since}),
        ("DELETE", f"/v1/budgets/{budget}", None),
        (
            "POST",
            "/v1/meters",
            {
                "code": METER,
                "event_type": "disk.sampled",
                "aggregation": "sum",
                "value_property": "bytes",
                "group_by": {"zone": "zone"},
                **since,
            },
        ),
        ("PATCH", f"/v1/meters/{METER}", {"group_by": {"zone": draw(one_of("kind", "zone"))}, **since}),
        ("DELETE", f"/v1/meters/{METER}", None),
        ("POST", "/v1/events/void", {"source": "gateway", "id": identity}),
        ("POST", "/v1/events/unvoid", {"source": "gateway", "id": identity}),
        *[("POST", "/v1/events/amend", {"source": "gateway", "id": identity, **draw(PATCHES)}) for _ in range(2)],
        ("POST", "/v1/prices", price),
        (
            "POST",
            "/v1/corrections",
            {"name": run, "action": draw(one_of("void", "restore")), "sources": ["gateway"], "customers": [customer]},
        ),
        ("POST", f"/v1/corrections/{run}/commit", {"previewed_at": 1 if draw(st.booleans()) else LAST}),
        ("POST", f"/v1/corrections/{run}/revert", None),
        ("POST", "/v1/repricings", {"name": run, "given_costs": draw(one_of("keep", "zeros"))}),
        ("POST", f"/v1/repricings/{run}/commit", {"previewed_at": 1 if draw(st.booleans()) else LAST}),
        ("POST", f"/v1/repricings/{run}/revert", None),
        ("POST", "/v1/prices", {**price, "customer": customer}),
        ("POST", "/v1/discounts", {"customer": draw(one_of(None, customer)), "percentage": draw(one_of("0", "12.5"))}),
        ("POST", "/respan/api/request-logs/create/", {**draw(LOGS), "customer_identifier": customer}),
        ("POST", f"{LAGO}/customers", {"customer": {"external_id": customer, **draw(OF_LAGO)}}),
        ("POST", f"{LAGO}/events", {"event": draw(EVENTS_OF_LAGO)}),
    ]
    return draw(st.sampled_from(choices))


@st.composite
def steps(
    draw: st.DrawFn, told: st.SearchStrategy[tuple[str, str, JsonObject | None]], used: st.SearchStrategy[JsonObject]
) -> Step:
    hours = draw(one_of(1, 1, 30, 24 * 17))
    if draw(st.booleans()):
        return Step(hours, tuple(draw(st.lists(used, min_size=1, max_size=3))))
    return Step(hours, command=draw(told))


# -- the engine, what is asked, and what it answers


@dataclass(frozen=True)
class Told:
    """A question with its answer; position and time are in the headers of a dialect, else in the body."""

    question: Question
    status: int
    position: str
    now: str
    answer: Any


@dataclass(frozen=True)
class Office:
    """An engine that tells tenant after tenant a history."""

    engine: EmbeddedEngine
    api: Api
    clock: SettableClock
    _tenants: Iterator[int] = field(default_factory=count)

    def tenant(self) -> Api:
        return replace(self.api, key=key_for(self.engine, Scope(f"tenant-{next(self._tenants)}", "prod")))

    def tell(self, api: Api, step: Step) -> None:
        self.clock.advance(hours=step.hours)
        if step.events:
            api.deliver([{**event, "time": self._instant(event["time"])} for event in step.events])
        if step.command is not None:
            method, path, body = step.command
            given = {**body} if body else {}
            for name in {"effective_at", "timestamp", "time", "ends_at"} & given.keys():
                given[name] = None if given[name] is None else self._instant(given[name])
            if given.get("previewed_at") == LAST:
                given["previewed_at"] = self.engine.log.head_position()
            media_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
            more = {} if body is None else {"json": given}
            answer = api.send(method, path, None, {"Content-Type": media_type}, **more)
            assert answer.status_code < 300 or answer.status_code in REFUSED, f"{step}: {answer.text}"

    def _instant(self, days_back: int) -> str:
        return (self.clock() - timedelta(days=days_back)).isoformat()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    clock = SettableClock()
    with engine_on(tmp_path_factory.mktemp("data"), clock) as engine, http(engine) as api:
        yield Office(engine, api, clock)


def questions(since: datetime) -> list[Question]:
    """A question of every route that shows numbers, and several of those with many parameters."""
    span = {"from": (since - timedelta(days=50)).isoformat()}
    ended = (since + timedelta(days=400)).date().isoformat()
    activity = {"start_date": (since - timedelta(days=50)).date().isoformat(), "end_date": ended, "page_size": "1000"}
    asked: list[Question] = [
        ("/v1/customers", "/v1/customers", {"limit": "1000"}),
        ("/v1/usage", "/v1/usage", {"group_by": "customer,model", **span}),
        ("/v1/usage", "/v1/usage", {}),
        ("/v1/usage", "/v1/usage", {"meter": METER, "group_by": "zone", **span}),
        *(
            ("/v1/diff", "/v1/diff", {"since": since.isoformat(), **params})
            for params in (span, {**span, "limit": "2"}, {"period_of": since.date().isoformat()}, {})
        ),
        *(
            ("/v1/diff", "/v1/diff", {"since": since.isoformat(), "customer": customer, **params})
            for customer in CUSTOMERS
            for params in (span, {"period_of": since.date().isoformat()[:7]})
        ),
        ("/v1/budgets", "/v1/budgets", {}),
        ("/v1/budgets/{budget_id:segment}", f"/v1/budgets/{BUDGETS[0]}", {}),
        ("/v1/meters", "/v1/meters", {}),
        ("/v1/meters/{code:segment}", f"/v1/meters/{METER}", {}),
        ("/v1/plans", "/v1/plans", {}),
        *(("/v1/plans/{code:segment}", f"/v1/plans/{code}", {}) for code in PLANS),
        ("/v1/subscriptions", "/v1/subscriptions", {}),
        ("/v1/subscriptions", "/v1/subscriptions", {"customer": CUSTOMERS[0]}),
        *(
            ("/v1/subscriptions/{subscription_id:segment}", f"/v1/subscriptions/{quote(one)}", {})
            for one in SUBSCRIPTIONS
        ),
        ("/v1/coupons", "/v1/coupons", {}),
        *(("/v1/coupons/{code:segment}", f"/v1/coupons/{code}", {}) for code in COUPONS),
        ("/v1/applied-coupons", "/v1/applied-coupons", {}),
        ("/v1/applied-coupons", "/v1/applied-coupons", {"customer": CUSTOMERS[0]}),
        ("/v1/prices", "/v1/prices", {}),
        ("/v1/corrections", "/v1/corrections", {}),
        *(("/v1/corrections/{name:segment}", f"/v1/corrections/{run}", {}) for run in RUNS),
        *(("/v1/corrections/{name:segment}/preview", f"/v1/corrections/{run}/preview", {}) for run in RUNS),
        ("/v1/repricings", "/v1/repricings", {}),
        *(("/v1/repricings/{name:segment}", f"/v1/repricings/{run}", {}) for run in RUNS),
        *(("/v1/repricings/{name:segment}/preview", f"/v1/repricings/{run}/preview", {}) for run in RUNS),
        ("/v1/backfills", "/v1/backfills", {}),
        *(("/v1/backfills/{name:segment}", f"/v1/backfills/{run}", {}) for run in RUNS),
        *(("/v1/backfills/{name:segment}/preview", f"/v1/backfills/{run}/preview", {}) for run in RUNS),
        ("/v1/prices", "/v1/prices", {"customer": CUSTOMERS[0]}),
        ("/v1/discounts", "/v1/discounts", {}),
        ("/v1/discounts", "/v1/discounts", {"customer": CUSTOMERS[0]}),
        ("/v1/events", "/v1/events", {"voided": "true"}),
        ("/v1/events", "/v1/events", {"unmatched": "true"}),
        ("/v1/events/one", "/v1/events/one", {"source": "gateway", "id": IDENTITIES[0]}),
        *(("/v1/rejected", "/v1/rejected", {"outcome": outcome}) for outcome in ("conflict", "withdrawn")),
        ("/customer/list", "/customer/list", {}),
        ("/customer/list", "/customer/list", {"page": "1", "page_size": "2"}),
        ("/end_user/list", "/end_user/list", {}),
        ("/budget/list", "/budget/list", {}),
        ("/budget/settings", "/budget/settings", {"budget_id": BUDGETS[0]}),
        ("/customer/daily/activity", "/customer/daily/activity", activity),
        ("/end_user/daily/activity", "/end_user/daily/activity", activity),
        ("/spend/logs/v2", "/spend/logs/v2", {"page_size": "100"}),
        (f"{SHUTTLE}/customers", f"{SHUTTLE}/customers", {}),
        (f"{SHUTTLE}/llm-logs", f"{SHUTTLE}/llm-logs", {"pageSize": "1000"}),
        (f"{SHUTTLE}/usage/by-customer", f"{SHUTTLE}/usage/by-customer", {}),
        (f"{SHUTTLE}/usage/by-customer", f"{SHUTTLE}/usage/by-customer", {"period": "1.12:30"}),
        *((f"/respan/api/users/list{end}", f"/respan/api/users/list{end}", {}) for end in ("/", "")),
        *(
            ("/respan/api/users/list/", "/respan/api/users/list/", {"page_size": "2", "sort_by": one})
            for one in ("-total_cost", "-active_days", "first_seen", "name")
        ),
    ]
    for params in ({}, {"search_term": "ann", "per_page": "1"}, {"countries[]": "FR"}, {"metadata[a]": ""}):
        asked.append((f"{LAGO}/customers", f"{LAGO}/customers", params))
    for params in ({}, {"external_subscription_id": SUBSCRIPTIONS[0]}):
        asked.append((f"{LAGO}/events", f"{LAGO}/events", params))
    asked.append((f"{LAGO}/events/{{transaction_id:segments}}", f"{LAGO}/events/{quote(IDENTITIES[0])}", {}))
    for plural, one, names in (
        ("billable_metrics", "code", (METER, "cost_usd")),
        ("plans", "code", PLANS),
        ("coupons", "code", COUPONS),
        ("subscriptions", "external_id", SUBSCRIPTIONS),
    ):
        asked.append((f"{LAGO}/{plural}", f"{LAGO}/{plural}", {}))
        of_one = f"{LAGO}/{plural}/{{{one}:{'segments' if plural == 'subscriptions' else 'segment'}}}"
        asked += [(of_one, f"{LAGO}/{plural}/{quote(name)}", {}) for name in names]
    asked += [(f"{LAGO}/applied_coupons", f"{LAGO}/applied_coupons", params) for params in ({}, {"status": "active"})]
    for code in PLANS:
        path = f"{LAGO}/plans/{code}/charges"
        asked += [
            (f"{LAGO}/plans/{{code:segment}}/charges", path, {}),
            (LAGO_CHARGE, f"{path}/{METER}", {}),
            (f"{LAGO_CHARGE}/filters", f"{path}/{METER}/filters", {}),
            (f"{LAGO_CHARGE}/filters/{{filter_id:segment}}", f"{path}/{METER}/filters/none", {}),
        ]
    of_subscription = {"external_subscription_id": SUBSCRIPTIONS[0]}
    for customer in CUSTOMERS:
        asked += [
            (LAGO_CUSTOMER, f"{LAGO}/customers/{quote(customer)}", {}),
            (f"{LAGO_CUSTOMER}/subscriptions", f"{LAGO}/customers/{quote(customer)}/subscriptions", {}),
            (f"{LAGO_CUSTOMER}/applied_coupons", f"{LAGO}/customers/{quote(customer)}/applied_coupons", {}),
            *(
                (f"{LAGO_CUSTOMER}/{one}", f"{LAGO}/customers/{quote(customer)}/{one}", of_subscription)
                for one in ("current_usage", "past_usage")
            ),
            ("/customer/info", "/customer/info", {"end_user_id": customer}),
            ("/end_user/info", "/end_user/info", {"end_user_id": customer}),
            (SHUTTLE_CUSTOMER, f"{SHUTTLE}/customers/{quote(customer, safe='')}", {}),
            (f"{SHUTTLE_CUSTOMER}/usage", f"{SHUTTLE}/customers/{quote(customer, safe='')}/usage", {"period": "60"}),
            *(
                (f"{route}{end}", f"{route.partition('{')[0]}{quote(customer)}{end}", {})
                for route in OF_RESPAN
                for end in ("/", "")
            ),
        ]
        for rest, params in (
            ("", {}),
            ("/usage", {"group_by": "model", **span}),
            ("/usage", {"window": "day", "from": (since - timedelta(days=50)).date().isoformat()}),
            ("/usage", {}),
            ("/current-usage", {}),
            ("/current-usage", {"period": "budget"}),
            ("/past-usage", {"periods": "4"}),
            ("/past-usage", {"period": "budget", "periods": "4"}),
            *(
                (rest, {"period": f"subscription:{SUBSCRIPTIONS[0]}", **more})
                for rest, more in (("/current-usage", {}), ("/past-usage", {"periods": "4"}))
            ),
            ("/budget", {}),
            ("/access", {}),
            ("/access", {"as": "litellm", "model": MODELS[0]}),
            ("/access", {"as": "respan"}),
            ("/history", {}),
            ("/charges", {}),
            ("/charges", {"period": (since - timedelta(days=1)).date().isoformat()}),
        ):
            asked.append((f"/v1/customers/{{customer_id:segment}}{rest}", customer_path(customer, rest), params))
    return asked


def asked(api: Api, question: Question, again: Told | None = None) -> Told:
    """The answer to a question, with its position and time; asked as of those of an earlier answer, if one is given."""
    _, path, params = question
    headers: dict[str, str | bytes] = {}
    if again is not None and path.startswith("/v1/"):
        params = {**params, "as_of": again.position, "at": again.now}
    elif again is not None:
        headers = {"Meterfold-As-Of": again.position, "Meterfold-At": again.now}
    answer = api.send("GET", path, None, headers, params=params)
    assert answer.status_code < 500, f"{path} {params}: {answer.text}"
    if answer.status_code >= 400 and "meterfold-position" not in answer.headers:
        return Told(question, answer.status_code, "", "", None)
    body = json.loads(answer.text)
    if "meterfold-position" in answer.headers:
        return Told(
            question, answer.status_code, answer.headers["meterfold-position"], answer.headers["meterfold-now"], body
        )
    return Told(question, answer.status_code, str(body["position"]), body["now"], body)


def check_law(
    office: Office, data: st.DataObject, api: Api, history: Sequence[Step], every: Sequence[Question]
) -> None:
    """Tell a history, with some questions after each step; then ask them again."""
    told = []
    for step in history:
        office.tell(api, step)
        position, now = office.engine.log.head_position(), office.clock().isoformat()
        for question in data.draw(st.permutations(every))[:ASKED_AT_ONCE]:
            answer = asked(api, question)
            told.append(answer if answer.position else replace(answer, position=str(position), now=now))
    for before in told:
        again = asked(api, before.question, before)
        shown = again if again.position else replace(again, position=before.position, now=before.now)
        assert shown == before


@examples(55)
@given(data=st.data(), history=st.lists(steps(commands(), usage()), min_size=2, max_size=STEPS_MAX))
def test_what_was_answered_is_answered_for_ever_after(
    office: Office, data: st.DataObject, history: Sequence[Step]
) -> None:
    check_law(office, data, office.tenant(), history, questions(office.clock()))


@examples(10)
@given(data=st.data(), history=st.lists(steps(of_plans() | commands(), of_customer()), min_size=3, max_size=STEPS_MAX))
def test_what_was_charged_is_charged_for_ever_after(
    office: Office, data: st.DataObject, history: Sequence[Step]
) -> None:
    """One customer with a plan from the beginning, who is asked for its charges most of the time."""
    api, customer = office.tenant(), CUSTOMERS[0]
    of_others = tuple(f"/customers/{quote(one)}/" for one in CUSTOMERS[1:])
    every = [
        one
        for one in questions(office.clock())
        if one[0] in OF_CHARGING and not (one[1].startswith(LAGO) and any(other in one[1] for other in of_others))
    ]
    charged = [one for one in every if one[1] == customer_path(customer, "/charges")]
    charges = data.draw(st.lists(METERED, min_size=1, max_size=3, unique_by=lambda charge: charge["code"]))
    meter = {"code": METER, "event_type": "disk.sampled", "aggregation": "sum", "value_property": "bytes"}
    plan = {"code": PLANS[0], "interval": "monthly", "currency": "USD", "charges": charges}
    subscription = {"id": SUBSCRIPTIONS[0], "customer": customer, "plan": PLANS[0]}
    coupon = {"code": COUPONS[0], **data.draw(TAKEN_OFF)}
    defined = (("/v1/meters", meter), ("/v1/plans", plan), ("/v1/subscriptions", subscription), ("/v1/coupons", coupon))
    for path, body in (*defined, (customer_path(customer, "/coupons"), {"coupon": COUPONS[0]})):
        office.tell(api, Step(1, command=("POST", path, {**body, "effective_at": 40})))
    check_law(office, data, api, history, [*every, *charged * 12])


@examples(25)
@given(data=st.data(), history=st.lists(steps(of_backfills() | commands(), usage()), min_size=4, max_size=STEPS_MAX))
def test_what_was_answered_before_a_backfill_is_answered_for_ever_after(
    office: Office, data: st.DataObject, history: Sequence[Step]
) -> None:
    """One backfill is open from the beginning, and events that it replaces were counted before."""
    api = office.tenant()
    body = {"name": RUNS[0], "from": "2020-01-01T00:00:00Z", "to": "2190-01-01T00:00:00Z", "mode": "replace"}
    office.tell(api, Step(1, tuple(data.draw(st.lists(usage(), min_size=1, max_size=3)))))
    office.tell(api, Step(1, command=("POST", "/v1/backfills", body)))
    check_law(office, data, api, history, questions(office.clock()))


def test_every_route_that_shows_numbers_is_asked(office: Office) -> None:
    app = office.api.client.app
    assert isinstance(app, FastAPI)
    assert set(get_routes(app)) - {route for route, _, _ in questions(NOON)} == set(NOT_ASKED)
