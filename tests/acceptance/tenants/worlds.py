"""Two histories of one tenant, at the same instants: in one of them other tenants use the same engine in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from consumers.embedded.engine import EmbeddedEngine
from domain.api_keys.commands import IssueApiKey
from domain.event import Provenance
from domain.scope import Scope
from tests.engine_fixtures import Api, JsonObject, SettableClock, engine_on, llm_request
from tests.fakes.randomness import CountedRandomness

#: The tenant that asks. One of the others is its own other environment.
MINE = Scope("beta", "prod")
OTHERS = (Scope("alpha", "prod"), Scope("beta", "test"))
KEYS = ("admin", "read", "ingest")
#: Stands in every text that only the others wrote, in ids too.
MARK = "alpha-corp"
TUNED = f"ft:gpt-4o-2024-08-06:{MARK}"
#: What both tenants use under the same names.
CUSTOMER, BUDGET, METER, SOURCE, EVENT = "ann", "gold", "gb", "gateway", "1"
PLAN, SUBSCRIPTION, COUPON = "startup", "sub-ann", "welcome"
RUN = "wrong price"
CORRECTION = "test traffic"
OTHERS_CUSTOMER = f"customer of {MARK}"
#: Days of March 2026, at noon, on which the tenant that asks does something; the others do at other hours.
DAYS = (10, 11, 12)
#: Signs links to the portal alike in every world.
PORTAL_SECRET = "of the two tenants, 32 characters"
ASKED_AT = datetime(2026, 3, 14, 12, tzinfo=UTC)


def secret_of(scope: Scope, kind: str) -> str:
    return f"sk-{scope.tenant}-{scope.environment}-{kind}-" + "x" * 20


@dataclass
class World:
    """An engine with its application, and the positions that the tenant that asks was told."""

    engine: EmbeddedEngine
    app: FastAPI
    client: TestClient
    clock: SettableClock
    positions: list[int]

    def api(self, scope: Scope, kind: str = "admin") -> Api:
        return Api(self.client, secret_of(scope, kind))


@contextmanager
def world(folder: Path, with_others: bool) -> Iterator[World]:
    """The engine after both histories, or after that of the asking tenant alone, at the instant of asking."""
    clock = SettableClock(datetime(2026, 3, 9, 12, tzinfo=UTC))
    with engine_on(folder, clock, admin_key="sk-" + "operator" * 3, portal_signing_secret=PORTAL_SECRET) as engine:
        app = create_app(engine, randomness=CountedRandomness())
        with TestClient(app) as client:
            made = World(engine, app, client, clock, [])
            _play(made, with_others)
            clock.set(ASKED_AT)
            yield made


def _play(made: World, with_others: bool) -> None:
    _issue_keys(made, MINE)
    for day in DAYS:
        if with_others:
            made.clock.set(datetime(2026, 3, day, 7, 31, 41, tzinfo=UTC))
            for scope in OTHERS:
                _act_as_other(made, scope, day)
        made.clock.set(datetime(2026, 3, day, 12, tzinfo=UTC))
        _act(made, made.api(MINE), day)
    if with_others:
        made.clock.set(datetime(2026, 3, 13, 23, 59, 47, tzinfo=UTC))
        for scope in OTHERS:
            _act_as_other(made, scope, 13)


def _issue_keys(made: World, scope: Scope) -> None:
    for kind in KEYS:
        secret = secret_of(scope, kind)
        name = f"{kind} of {scope.tenant}" if scope == MINE else f"{kind} of {MARK}"
        issued = made.engine.commands.handle(IssueApiKey(scope, Provenance("test"), (kind,), name, secret))
        if issued.position is not None:
            assert made.engine.wait_folded(issued.position, 60)


def _act(made: World, api: Api, day: int) -> None:
    """What the asking tenant does on one of its days; the shared model is first used on the second."""
    price = {"unit_prices": {"input": "1", "output": "2"}}
    if day == DAYS[0]:
        api.post("/v1/budgets", {"id": BUDGET, "period_limit_usd": "5", "duration": "1d", "name": "Gold"})
        api.post("/v1/customers", {"id": CUSTOMER, "name": "Ann", "budget": {"budget_id": BUDGET}})
        api.post("/v1/meters", {"code": METER, "event_type": "download", "aggregation": "sum", "value_property": "gb"})
        api.post("/v1/prices", {"provider": "acme", "model": "swift", **price})
        api.post("/v1/prices", {"provider": "acme", "model": "swift", **price, "customer": CUSTOMER})
        api.post("/v1/discounts", {"percentage": "5", "customer": CUSTOMER})
        api.post("/v1/discounts", {"percentage": "7.5", "provider": "openai", "model": "o1"})
        charges = [_charge("tokens", "total_tokens", "2"), {**_charge("disk", METER, "3"), "minimum_amount": "50"}]
        api.post("/v1/plans", {"code": PLAN, "interval": "monthly", "currency": "EUR", "charges": charges})
        api.post("/v1/subscriptions", {"id": SUBSCRIPTION, "customer": CUSTOMER, "plan": PLAN})
        api.post("/v1/coupons", {"code": COUPON, "percentage": "10", "frequency": "recurring", "periods": 2})
        api.post(f"/v1/customers/{CUSTOMER}/coupons", {"coupon": COUPON})
        api.post("/lago/api/v1/events", _event_of(SUBSCRIPTION, EVENT, "download"), 200)
        api.post("/budget/new", {"budget_id": "lite", "max_budget": 3, "budget_duration": "7d"}, 200)
        api.post("/customer/new", {"user_id": "lou", "alias": "Lou", "budget_id": "lite"}, 200)
    models = [("acme", "swift")]
    if day != DAYS[0]:
        models += [("openai", "gpt-4o"), ("openai", "o1")]
    ids = [EVENT if day == DAYS[0] else f"{day}-{model}" for _, model in models]
    events = [
        llm_request(event_id, CUSTOMER, made.clock(), tags=["t"], provider=provider, model=model)
        for event_id, (provider, model) in zip(ids, models, strict=True)
    ]
    again = llm_request(EVENT, CUSTOMER, made.clock(), input_tokens=5, provider="acme", model="swift")
    taken = api.deliver([*events, again, {**again, "id": f"bad {day}", "type": ""}])
    made.positions.append(taken["position"])
    api.deliver([_download(f"d{day}", CUSTOMER)])
    api.post("/litellm/logs", _log_payload(f"call-{day}", "lou", "gpt-4o" if day != DAYS[0] else "own"), 200)
    if day == DAYS[2]:
        api.post("/v1/prices", {"provider": "acme", "model": "swift", "unit_prices": {"input": "3", "output": "2"}})
        api.post("/v1/repricings", {"name": RUN, "models": ["swift"]})
        api.post("/v1/corrections", {"name": CORRECTION, "tags": ["t"], "models": ["swift", "gpt-4o"]})
        api.post("/v1/events/void", {"source": SOURCE, "id": EVENT}, 200)
        amended = {"customer": "lou", "data": {"model": "o1", "output_tokens": 3}, "reason": "mixed up"}
        api.post("/v1/events/amend", {"source": SOURCE, "id": "11-gpt-4o", **amended}, 200)
        api.patch(f"/v1/customers/{CUSTOMER}", {"budget": {"total_limit_usd": "50"}})
        _backfill(api, RUN, llm_request("lost", CUSTOMER, made.clock(), provider="acme", model="swift"))


def _act_as_other(made: World, scope: Scope, day: int) -> None:
    """What another tenant does, under the same ids and under its own, with marks in every text of its own."""
    if day == DAYS[0]:
        _issue_keys(made, scope)
    api = made.api(scope)
    price = {"unit_prices": {"input": "91", "output": "92"}}
    if day == DAYS[0]:
        for budget in (BUDGET, f"budget of {MARK}"):
            api.post("/v1/budgets", {"id": budget, "period_limit_usd": "0.91", "duration": "1h", "name": MARK})
        for customer in (CUSTOMER, OTHERS_CUSTOMER):
            api.post("/v1/customers", {"id": customer, "name": MARK, "metadata": {"who": MARK}})
        for code in (METER, "alpha_corp"):
            api.post("/v1/meters", {"code": code, "event_type": "download", "aggregation": "count", "name": MARK})
        _subscribe_as_other(api)
        for model in ("swift", TUNED, "o1"):
            api.post("/v1/prices", {"provider": "acme", "model": model, **price})
        for owner in (CUSTOMER, OTHERS_CUSTOMER, None):
            api.post("/v1/prices", {"provider": "openai", "model": "gpt-4o", **price, "customer": owner})
            api.post("/v1/discounts", {"percentage": "91", "customer": owner})
            api.post("/v1/discounts", {"percentage": "91", "provider": "openai", "model": TUNED, "customer": owner})
        api.post("/budget/new", {"budget_id": "lite", "max_budget": 91, "budget_duration": "1h"}, 200)
        api.post("/customer/new", {"user_id": "lou", "alias": MARK, "budget_id": "lite", "blocked": True}, 200)
    models = [("openai", "gpt-4o"), ("openai", TUNED), ("openai", "o1"), (MARK, "swift"), ("acme", "swift")]
    events = []
    for number, (provider, model) in enumerate(models):
        for customer in (CUSTOMER, OTHERS_CUSTOMER):
            events.append(
                llm_request(f"{EVENT if number == 0 else number} {MARK * (number > 0)} {day}".strip(), customer,
                    made.clock(), provider=provider, model=model, tags=["t", MARK], session_id=MARK)
            )  # fmt: skip
    same = [llm_request(one, CUSTOMER, made.clock(), cost_usd="91") for one in (EVENT, "11-gpt-4o", f"bad {day}")]
    api.deliver([*events, *same, {**same[0], "id": f"bad {MARK}", "type": ""}, llm_request(EVENT, MARK)])
    api.deliver([_download(f"d{day}", CUSTOMER), _download(f"d{MARK}", OTHERS_CUSTOMER)])
    for model in ("gpt-4o", TUNED):
        api.post("/litellm/logs", _log_payload(f"call-{day}", "lou", model) | {"session_id": MARK}, 200)
    if day == DAYS[1]:
        _reprice_as_other(api)
        _correct_as_other(api)
        _backfill_as_other(api)
    api.post("/v1/events/void", {"source": SOURCE, "id": "11-gpt-4o"}, 200)
    amended = {"customer": OTHERS_CUSTOMER, "data": {"model": TUNED, "kind": MARK}, "reason": MARK}
    api.post("/v1/events/amend", {"source": SOURCE, "id": "11-gpt-4o", **amended}, 200)
    api.post(f"/v1/customers/{CUSTOMER}/{'block' if day % 2 else 'unblock'}", {"reason": MARK}, 200)


def _subscribe_as_other(api: Api) -> None:
    """Plans and subscriptions under the same ids and under own ones: other periods, meters, prices and groups."""
    charges = [
        {**_charge("tokens", "total_tokens", "91"), "name": MARK, "group_by": ["session_id"]},
        _charge(MARK, "alpha_corp", "92"),
        _charge("disk", METER, "93"),
    ]
    for code in (PLAN, f"plan of {MARK}"):
        api.post("/v1/plans", {"code": code, "name": MARK, "interval": "weekly", "currency": "USD", "charges": charges})
    for subscription, customer in ((SUBSCRIPTION, CUSTOMER), (f"subscription of {MARK}", OTHERS_CUSTOMER)):
        api.post(
            "/v1/subscriptions", {"id": subscription, "name": MARK, "customer": customer, "plan": f"plan of {MARK}"}
        )
        for event_id in (EVENT, MARK):
            api.post("/lago/api/v1/events", _event_of(subscription, event_id, MARK), 200)
    for coupon in (COUPON, f"coupon of {MARK}"):
        value = {"amount": "0.91", "currency": "USD", "frequency": "once", "name": MARK, "plans": [f"plan of {MARK}"]}
        api.post("/v1/coupons", {"code": coupon, **value})
        for customer in (CUSTOMER, OTHERS_CUSTOMER):
            api.post(f"/v1/customers/{customer}/coupons", {"coupon": coupon})


def _event_of(subscription: str, event_id: str, code: str) -> JsonObject:
    """An event as Lago's clients send it."""
    given = {"transaction_id": event_id, "external_subscription_id": subscription, "code": code}
    return {"event": {**given, "properties": {"gb": 1, "of": code}}}


def _charge(code: str, meter: str, amount: str) -> JsonObject:
    return {"code": code, "meter": meter, "price": {"model": "standard", "amount": amount}}


def _backfill(api: Api, name: str, lost: JsonObject) -> None:
    """Replace the usage of one hour of a past day by one event."""
    hour = {"from": "2026-03-10T12:00:00Z", "to": "2026-03-10T13:00:00Z"}
    api.post("/v1/backfills", {"name": name, **hour, "mode": "replace"})
    api.post(f"/v1/backfills/{name}/events", {**lost, "time": hour["from"]}, 200)
    previewed_at = api.get(f"/v1/backfills/{name}")["position"]
    api.post(f"/v1/backfills/{name}/commit", {"previewed_at": previewed_at}, 200)


def _backfill_as_other(api: Api) -> None:
    for run in (RUN, f"run of {MARK}"):
        _backfill(api, run, llm_request(f"lost {MARK} {run}", CUSTOMER, model=TUNED))
    api.post(f"/v1/backfills/run of {MARK}/revert", None, 200)


def _reprice_as_other(api: Api) -> None:
    for run in (RUN, f"run of {MARK}"):
        api.post("/v1/repricings", {"name": run, "given_costs": "zeros"})
        previewed_at = api.get(f"/v1/repricings/{run}/preview")["previewed_at"]
        api.post(f"/v1/repricings/{run}/commit", {"previewed_at": previewed_at}, 200)


def _correct_as_other(api: Api) -> None:
    """Void and restore by filter, so that the others change the same events, under the same name and another one."""
    for run, action in ((CORRECTION, "void"), (f"correction of {MARK}", "restore")):
        api.post("/v1/corrections", {"name": run, "action": action, "tags": ["t", MARK], "customers": [CUSTOMER]})
        previewed_at = api.get(f"/v1/corrections/{run}/preview")["previewed_at"]
        api.post(f"/v1/corrections/{run}/commit", {"previewed_at": previewed_at}, 200)


def _download(event_id: str, customer: str) -> JsonObject:
    event: JsonObject = llm_request(event_id, customer, None)
    return event | {"type": "download", "data": {"gb": 2}}


def _log_payload(call: str, customer: str, model: str) -> dict[str, Any]:
    return {
        "litellm_call_id": call,
        "id": f"chatcmpl-{call}",
        "end_user": customer,
        "model": model,
        "custom_llm_provider": "openai",
        "status": "success",
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "metadata": {"user_api_key_hash": "hash"},
    }
