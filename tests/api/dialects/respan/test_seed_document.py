"""Respan's document "Update a customer", a row for each of its sentences; and what is read into it where it is silent.

A row is named by the sentence that it holds. The names of readings begin with "Reading:".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from consumers.embedded.engine import EmbeddedEngine
from domain.api_keys.commands import IssueApiKey
from domain.event import Provenance
from domain.scope import Scope
from tests.api.dialects.conftest import Spend
from tests.api.dialects.respan.conftest import MARCH_25, USERS, updated, user
from tests.engine_fixtures import Api, JsonObject, SettableClock, key_for

BEFORE = MARCH_25 - timedelta(hours=1)
NUMBERS = count()


@dataclass(frozen=True)
class Case:
    """A customer of its own that spent $2 an hour ago, and what is needed to ask about it."""

    api: Api
    engine: EmbeddedEngine
    clock: SettableClock
    spend: Spend
    customer: str

    def path(self, query: str = "") -> str:
        return f"{USERS}/{self.customer}/{query}"

    def updated(self, **members: Any) -> Any:
        return updated(self.api, self.customer, **members)

    def shown(self, **members: Any) -> Any:
        """The customer as GET shows it, after a change of these members."""
        changed = self.updated(**members)
        assert user(self.api, self.customer) == changed
        return changed

    def refused(self, body: Any, status: int = 400) -> Any:
        return self.api.send("PATCH", self.path(), status, json=body).json()

    def refuses(self, **members: Any) -> None:
        """Each of these is refused by its name, and nothing is changed."""
        before = user(self.api, self.customer)
        for name, value in members.items():
            refusal = self.refused({"name": "Changed", name: value})
            assert set(refusal) == {name, "detail"}
            assert refusal["detail"] == "; ".join(f"{name} {rule}" for rule in refusal[name])
        assert user(self.api, self.customer) == before

    def is_allowed(self) -> bool:
        answer = self.api.send("GET", f"/v1/customers/{self.customer}/access?as=respan", None)
        allowed: bool = answer.json()["limit_info"]["is_allowed"]
        assert answer.status_code == (200 if allowed else 429)
        return allowed


@pytest.fixture
def case(api: Api, engine: EmbeddedEngine, clock: SettableClock, spend: Spend) -> Case:
    customer = f"customer-{next(NUMBERS)}"
    spend(customer, "2", clock() - timedelta(hours=1))
    return Case(api, engine, clock, spend, customer)


# -- the sentences


def profile_and_budget(case: Case) -> None:
    shown = case.shown(name="Ada", email="ada@acme.dev", period_budget=7.5)
    assert [shown[name] for name in ("name", "email", "period_budget")] == ["Ada", "ada@acme.dev", 7.5]


def created_from_usage(case: Case) -> None:
    assert case.api.refused("PATCH", f"{USERS}/never-seen/", 404, {"name": "x"}) == {"detail": "Not found."}
    assert case.shown()["customer_identifier"] == case.customer


def named_by_identifier(case: Case) -> None:
    case.spend("unique/id 7", "1")
    assert updated(case.api, "unique/id 7", name="N")["customer_identifier"] == "unique/id 7"
    case.api.refused("PATCH", f"{USERS}/", 404, {})


def bearer_token(case: Case) -> None:
    def status(**headers: str) -> int:
        return case.api.client.patch(case.path(), headers=headers, json={}).status_code

    assert status(Authorization=f"Bearer {case.api.key}") == 200
    assert [status(), status(Authorization=case.api.key), status(Authorization="Bearer no")] == [401, 401, 401]


def environment(case: Case) -> None:
    assert case.api.send("PATCH", case.path("?environment=prod"), 200, json={}).json()["environment"] == "prod"
    case.api.send("PATCH", case.path("?environment=test"), 404, json={})
    scope = Scope(f"org-{case.customer}", "test")
    issued = case.engine.commands.handle(IssueApiKey(scope, Provenance("test"), ("admin",), environments=("prod",)))
    case.engine.wait_folded(issued.position or 0, 60)
    of_both = Api(case.api.client, issued.state.secret)
    for scope_of_usage, customer in ((scope, "implied"), (Scope(scope.tenant, "prod"), "named")):
        sender = Api(case.api.client, key_for(case.engine, scope_of_usage))
        sender.deliver([event(customer)])
    assert updated(of_both, "implied")["environment"] == "test"
    assert of_both.send("PATCH", f"{USERS}/named/?environment=prod", 200, json={}).json()["environment"] == "prod"


def event(customer: str) -> JsonObject:
    return {"specversion": "1.0", "id": f"of {customer}", "source": "s", "type": "llm.request", "subject": customer,
            "time": BEFORE.isoformat(), "data": {"cost_usd": "1"}}  # fmt: skip


def environment_values(case: Case) -> None:
    refusal = case.api.send("PATCH", case.path("?environment=dev"), 400, json={}).json()
    assert refusal["environment"] == ["must be 'prod' or 'test'"]


def an_object(case: Case) -> None:
    for body in (b"[]", b'"text"', b"5", b"null"):
        refusal = case.api.send("PATCH", case.path(), 400, content=body).json()
        assert refusal == {"body": ["must be a JSON object"], "detail": "body must be a JSON object"}
    answer = case.api.send("PATCH", case.path(), 400, content=b"{")
    assert answer.json()["detail"].startswith("the body is not JSON")


def nullable_text(name: str, value: str) -> Callable[[Case], None]:
    def check(case: Case) -> None:
        assert case.shown(**{name: value})[name] == value
        assert case.shown()[name] == value
        assert case.shown(**{name: None})[name] is None
        case.refuses(**{name: 5})

    return check


def metadata(case: Case) -> None:
    given = {"plan": "pro", "seats": 3, "ratio": 0.5, "nested": {"a": [None, True]}}
    assert case.shown(metadata=given)["metadata"] == given
    assert case.api.get(f"/v1/customers/{case.customer}")["metadata"]["plan"] == "pro"
    case.refuses(metadata=[1])


def nullable_amount(name: str) -> Callable[[Case], None]:
    def check(case: Case) -> None:
        for value in (100, 0.01, 1000.5, "12.25"):
            assert case.shown(**{name: value})[name] == float(value)
        assert case.shown(**{name: 2.5})[name] == 2.5
        assert case.is_allowed()
        case.updated(**{name: 2})
        assert not case.is_allowed()
        assert case.shown(**{name: None})[name] is None
        assert case.is_allowed()
        case.refuses(**{name: -1})
        case.refuses(**{name: "much"})
        case.refuses(**{name: True})

    return check


def budget_duration(case: Case) -> None:
    for duration, days in (("daily", 1), ("weekly", 7), ("monthly", 31), ("yearly", 365)):
        shown = case.shown(budget_duration=duration)
        assert shown["budget_duration"] == duration
        assert length_of(shown) == timedelta(days=days)


def length_of(shown: Any) -> timedelta:
    return datetime.fromisoformat(shown["period_end"]) - datetime.fromisoformat(shown["period_start"])


def budget_duration_values(case: Case) -> None:
    case.refuses(budget_duration="hourly")
    case.refuses(budget_duration=30)


def period_start(case: Case) -> None:
    assert case.shown(period_start="2026-03-20T06:00:00Z")["period_start"] == "2026-03-20T06:00:00Z"
    for wrong in ("soon", 20260320, "2026-13-01", "1890-01-01"):
        case.refuses(period_start=wrong)


def period_end(case: Case) -> None:
    shown = case.shown(period_start="2026-03-20", period_end="2026-03-27T12:00:00Z")
    assert (shown["period_start"], shown["period_end"]) == ("2026-03-20T00:00:00Z", "2026-03-27T12:00:00Z")
    assert case.shown(period_end=None)["period_end"] == "2026-04-20T00:00:00Z"
    case.refuses(period_end="later")


def markup(case: Case) -> None:
    assert case.shown(markup_percentage=30)["markup_percentage"] == 30.0
    case.spend(case.customer, "10")
    assert case.shown()["total_period_usage"] == 15.0
    assert case.shown(markup_percentage=-100)["markup_percentage"] == -100.0
    case.refuses(markup_percentage=-101)


def always(name: str, value: Any) -> Callable[[Case], None]:
    def check(case: Case) -> None:
        expected = value(case) if callable(value) else value
        assert (case.shown()[name], user(case.api, case.customer)[name]) == (expected, expected)

    return check


def after(name: str, given: JsonObject, value: Any) -> Callable[[Case], None]:
    def check(case: Case) -> None:
        assert case.shown(**given)[name] == value

    return check


def usage_in_period(case: Case) -> None:
    assert case.shown(budget_duration="daily", period_budget=5)["total_period_usage"] == 2.0
    case.spend(case.customer, "1.5")
    assert user(case.api, case.customer)["total_period_usage"] == 3.5
    assert case.api.get(f"/v1/customers/{case.customer}/budget")["period_spent_usd"] == "3.5"


def updated_at(case: Case) -> None:
    case.clock.advance(seconds=5)
    now = case.clock().isoformat().replace("+00:00", "Z")
    assert case.shown(name="New")["updated_at"] == now
    case.clock.advance(seconds=5)
    assert case.shown(name="New")["updated_at"] == now


def bad_request(case: Case) -> None:
    assert case.refused({"period_budget": -1, "email": "nobody"}) in (
        {"email": [EMAIL], "detail": f"email {EMAIL}"},
        {"period_budget": ["must not be negative"], "detail": "period_budget must not be negative"},
    )


EMAIL = "must be an email address, such as ada@example.com"


def unauthorized(case: Case) -> None:
    stranger = Api(case.api.client, "sk-unknown")
    refusal = stranger.refused("PATCH", case.path(), 401, {})
    assert refusal == {"detail": "Your API key is invalid or expired, please check your API key."}


def not_found(case: Case) -> None:
    assert case.api.refused("PATCH", f"{USERS}/nobody/", 404, {}) == {"detail": "Not found."}


def too_many(case: Case) -> None:
    class OneAMinute:
        """The engine with another setting."""

        def __init__(self) -> None:
            self.settings = case.engine.settings.model_copy(update={"respan_minute_requests_max": 1})

        def __getattr__(self, name: str) -> Any:
            return getattr(case.engine, name)

    engine: Any = OneAMinute()
    with TestClient(create_app(engine, monotonic=lambda: 0.0)) as client:
        limited = Api(client, case.api.key)
        updated(limited, case.customer)
        answer = limited.send("PATCH", case.path(), 429, json={})
    assert answer.json() == {"detail": "Rate limit exceeded", "retry_after": 60}
    assert answer.headers["Retry-After"] == "60"


def internal(case: Case) -> None:
    app = create_app(case.engine)

    async def fail() -> None:
        raise ValueError("sk-secret")

    app.add_api_route("/respan/fails", fail)
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/respan/fails")
    assert (answer.status_code, answer.json()) == (
        500,
        {"detail": "Internal server error", "error_code": "INTERNAL_ERROR"},
    )


#: The month of the clock, which a case moves by seconds at most.
_MONTH = ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
SENTENCES: dict[str, Callable[[Case], None]] = {
    "Update customer profile and budget settings.": profile_and_budget,
    "Customers are created automatically from usage; use this endpoint to configure budgets or update profile fields "
    "after creation.": created_from_usage,
    "customer_identifier string Required: Your unique identifier for this customer.": named_by_identifier,
    "Authorization string Required: Bearer token. Use Bearer YOUR_API_KEY.": bearer_token,
    "environment enum Optional: Optional environment filter. If omitted, the backend uses the environment implied by "
    "your auth context when applicable.": environment,
    "environment: Allowed values": environment_values,
    "Request: This endpoint expects an object.": an_object,
    "Request: email string or null Optional: Customer email address.": nullable_text("email", "ada@acme.dev"),
    "Request: name string or null Optional: Customer display name.": nullable_text("name", "Ada L."),
    "Request: metadata object Optional: Custom key-value metadata.": metadata,
    "Request: period_budget double or null Optional: Spending budget per period in USD.": nullable_amount(
        "period_budget"
    ),
    "Request: budget_duration enum Optional: Budget renewal period.": budget_duration,
    "Request: budget_duration: Allowed values": budget_duration_values,
    "Request: total_budget double or null Optional: Total lifetime spending budget in USD.": nullable_amount(
        "total_budget"
    ),
    "Request: period_start datetime Optional: Optional custom budget period start.": period_start,
    "Request: period_end datetime or null Optional: Optional custom budget period end.": period_end,
    "Request: markup_percentage double Optional: Markup percentage applied to usage reports for this customer.": markup,
    "Response: Updated customer details.": profile_and_budget,
    "id string: Customer identifier used by the detail serializer.": always("id", lambda case: case.customer),
    "name string or null: Customer display name.": always("name", None),
    "email string or null: Customer email address.": always("email", None),
    "customer_identifier string: Your unique identifier for the customer.": always(
        "customer_identifier", lambda case: case.customer
    ),
    "environment enum: Customer environment.": always("environment", "prod"),
    "total_budget double or null: Lifetime spending budget in USD.": after("total_budget", {"total_budget": 9}, 9.0),
    "period_budget double or null: Current period budget in USD.": after("period_budget", {"period_budget": 8}, 8.0),
    "organization_name string or null: Owning organization name.": always("organization_name", "default"),
    "total_period_usage double: Usage in the current budget period in USD.": usage_in_period,
    "period_start datetime: Start of the current budget period.": always("period_start", _MONTH[0]),
    "period_end datetime or null: End of the current budget period.": always("period_end", _MONTH[1]),
    "budget_duration enum: Budget renewal period.": after("budget_duration", {"budget_duration": "daily"}, "daily"),
    "updated_at datetime: Last update timestamp.": updated_at,
    "400 Bad Request Error": bad_request,
    "401 Unauthorized Error": unauthorized,
    "404 Not Found Error": not_found,
    "429 Too Many Requests Error": too_many,
    "500 Internal Server Error": internal,
}


# -- the readings


def null_clears(case: Case) -> None:
    values = {
        "name": "Ada", "email": "ada@acme.dev", "metadata": {"a": 1}, "period_budget": 5, "total_budget": 50,
        "markup_percentage": 10, "budget_duration": "daily", "period_start": "2026-03-20", "period_end": "2026-03-28",
    }  # fmt: skip
    untouched = user(case.api, case.customer)
    case.updated(**values)
    assert case.shown(name="Bo")["period_budget"] == 5.0  # what is absent stays
    cleared = case.shown(**dict.fromkeys(values))
    assert {**cleared, "updated_at": None} == {**untouched, "updated_at": None}


def metadata_is_replaced(case: Case) -> None:
    case.updated(metadata={"a": 1, "b": 2})
    assert case.shown(metadata={"c": 3})["metadata"] == {"c": 3}


def zero_refuses_all(case: Case) -> None:
    case.updated(period_budget=0)
    assert (case.is_allowed(), case.shown()["period_budget"]) == (False, 0.0)
    case.updated(period_budget=None)
    assert case.is_allowed()


def bounds_must_be_in_order(case: Case) -> None:
    refusal = case.refused({"period_start": "2026-03-20", "period_end": "2026-03-20"})
    assert refusal == {"period_end": ["must be after period_start"], "detail": "period_end must be after period_start"}


def a_budget_does_not_reset_usage(case: Case) -> None:
    case.updated(period_budget=5, budget_duration="daily")
    assert case.shown(period_budget=50)["total_period_usage"] == 2.0


def markup_counts_from_now(case: Case) -> None:
    case.clock.advance(seconds=1)
    assert case.shown(markup_percentage=50, period_budget=3.5)["total_period_usage"] == 2.0
    case.spend(case.customer, "1")
    assert (case.shown()["total_period_usage"], case.is_allowed()) == (3.5, False)
    raw = case.api.get(f"/v1/customers/{case.customer}/current-usage")["usage"]
    assert (raw["cost_usd"], raw["reported_cost_usd"]) == ("3", "3.5")


def unknown_members_are_ignored(case: Case) -> None:
    assert "surprise" not in case.shown(surprise=1)


def deletion_keeps_usage_in_reports(case: Case) -> None:
    case.clock.advance(seconds=1)
    case.api.send("DELETE", case.path(), 204)
    of_all_lives = case.api.get(f"/v1/customers/{case.customer}/usage", **{"from": "2026-03-01"})
    assert of_all_lives["data"][0]["cost_usd"] == "2"


READINGS: dict[str, Callable[[Case], None]] = {
    "Reading: null clears every field, an absent one stays.": null_clears,
    "Reading: metadata is replaced as a whole.": metadata_is_replaced,
    "Reading: a period_budget of 0 refuses everything, null is no limit.": zero_refuses_all,
    "Reading: a period_end that is not after period_start is refused.": bounds_must_be_in_order,
    "Reading: a change of the budget does not reset what was used.": a_budget_does_not_reset_usage,
    "Reading: a markup counts from when it is set, and budgets compare the reported cost.": markup_counts_from_now,
    "Reading: members that are not known are ignored.": unknown_members_are_ignored,
    "Reading: after a deletion usage stays in reports over all time.": deletion_keeps_usage_in_reports,
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_document_says(case: Case, sentence: str) -> None:
    SENTENCES[sentence](case)


@pytest.mark.parametrize("reading", READINGS)
def test_where_the_document_is_silent(case: Case, reading: str) -> None:
    READINGS[reading](case)
