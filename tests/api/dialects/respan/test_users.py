"""One customer through Respan's routes: changed, shown, deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.api_keys.commands import IssueApiKey
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE, Scope
from tests.api.dialects.conftest import Spend
from tests.api.dialects.respan.conftest import MARCH_25, USERS, updated, user
from tests.engine_fixtures import Api, customer_path, key_for, llm_request

NOT_FOUND = {"detail": "Not found."}
BEFORE = MARCH_25 - timedelta(hours=1)
LEGACY = (
    "unique_organization_id", "organization", "organization_key", "total_usage", "total_requests",
    "total_prompt_tokens", "total_completion_tokens", "total_tokens", "total_cache_hits", "average_latency",
    "average_ttft", "average_monthly_cost", "top_models", "last_active", "created_at", "metadata", "markup_percentage",
    "is_test", "blurred",
)  # fmt: skip
#: Ids, with the path segment in which an HTTP client that does not escape ids sends each.
UNESCAPED = [
    ("acme/eu/7", "acme/eu/7"),
    ("acme//7", "acme//7"),
    ("/acme", "/acme"),
    ("list/of/things", "list/of/things"),
    ("a b%c", "a%20b%25c"),
    ("%2F", "%252F"),
    ("ünïcode 🙂🙂", quote("ünïcode 🙂🙂")),
    ("🙂" * 1_000, quote("🙂" * 1_000)),
    ("a" * 1_000, "a" * 1_000),
    ("42", "42"),
]


def test_every_field_that_is_set_is_shown(api: Api, spend: Spend) -> None:
    spend("full", "1.5", BEFORE)
    shown = updated(
        api,
        "full",
        name="Full Ltd",
        email="full@example.com",
        metadata={"plan": "pro"},
        period_budget=100,
        budget_duration="monthly",
        total_budget=1000.5,
        markup_percentage=20,
    )
    assert {name: value for name, value in shown.items() if name not in LEGACY} == {
        "id": "full",
        "name": "Full Ltd",
        "email": "full@example.com",
        "customer_identifier": "full",
        "environment": "prod",
        "total_budget": 1000.5,
        "period_budget": 100.0,
        "organization_name": "default",
        "total_period_usage": 1.5,
        "period_start": "2026-03-25T00:00:00Z",
        "period_end": "2026-04-25T00:00:00Z",
        "budget_duration": "monthly",
        "updated_at": "2026-03-25T10:24:37Z",
    }
    assert user(api, "full") == shown


def test_the_fields_of_older_releases_are_shown_too(api: Api, spend: Spend) -> None:
    spend("older", "3", datetime(2026, 1, 31, 9, tzinfo=UTC), model="slow", latency_ms=1500, ttft_ms=40)
    for _ in range(2):
        spend("older", "1.5", BEFORE, cached_input_tokens=5, latency_ms=500)
    shown = updated(api, "older", metadata={"plan": "pro"}, markup_percentage=12.5)
    organization = shown["unique_organization_id"]
    assert len(organization) == 36
    assert {name: shown[name] for name in LEGACY} == {
        "unique_organization_id": organization,
        "organization": "default",
        "organization_key": None,
        "total_usage": 6.0,
        "total_requests": 3,
        "total_prompt_tokens": 300,
        "total_completion_tokens": 30,
        "total_tokens": 330,
        "total_cache_hits": 2,
        "average_latency": pytest.approx(2.5 / 3),
        "average_ttft": 0.04,
        "average_monthly_cost": 2.0,
        "top_models": {"swift": 2, "slow": 1},
        "last_active": "2026-03-25T09:24:37Z",
        "created_at": "2026-01-31T09:00:00Z",
        "metadata": {"plan": "pro"},
        "markup_percentage": 12.5,
        "is_test": False,
        "blurred": False,
    }


def test_a_customer_is_created_by_its_usage_and_changed_afterwards(api: Api, spend: Spend) -> None:
    assert api.refused("PATCH", f"{USERS}/newcomer/", 404, {"name": "Ann"}) == NOT_FOUND
    assert api.refused("GET", f"{USERS}/newcomer/", 404) == NOT_FOUND
    spend("newcomer", "0.25")
    assert user(api, "newcomer")["total_period_usage"] == 0.25
    assert updated(api, "newcomer", name="Ann")["name"] == "Ann"


def test_a_change_of_nothing_changes_nothing(api: Api, spend: Spend) -> None:
    spend("still", "1", BEFORE)
    before = user(api, "still")
    assert updated(api, "still") == before
    assert updated(api, "still", unknown="ignored") == before
    assert before["updated_at"] == "2026-03-25T09:24:37Z"


def test_a_deleted_customer_is_unknown_and_usage_begins_it_anew(api: Api, spend: Spend) -> None:
    spend("gone", "3", BEFORE)
    updated(api, "gone", name="Gone", period_budget=5, markup_percentage=50)
    answer = api.send("DELETE", f"{USERS}/gone/", 204)
    assert answer.content == b""
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        assert api.refused(method, f"{USERS}/gone/", 404, body) == NOT_FOUND
    spend("gone", "0.5")
    shown = user(api, "gone")
    assert (shown["name"], shown["period_budget"], shown["total_period_usage"]) == (None, None, 0.5)


@pytest.mark.parametrize(("customer", "segment"), UNESCAPED, ids=[segment[:20] for _, segment in UNESCAPED])
def test_an_id_that_the_client_did_not_escape_is_found(api: Api, spend: Spend, customer: str, segment: str) -> None:
    spend(customer, "0.5", BEFORE)
    for end in ("/", ""):
        assert api.send("PATCH", f"{USERS}/{segment}{end}", 200, json={"name": "N"}).json()["id"] == customer
        assert api.get(f"{USERS}/{quote(customer, safe='')}{end}")["customer_identifier"] == customer
    assert api.get(customer_path(customer))["name"] == "N"
    api.send("DELETE", f"{USERS}/{segment}", 204)
    api.send("DELETE", f"{USERS}/{segment}/", 404)


def test_one_slash_at_the_end_of_a_path_is_not_part_of_the_id(api: Api, spend: Spend) -> None:
    spend("ends", "1")
    spend("ends/", "2")
    assert [user(api, given)["total_period_usage"] for given in ("ends", "ends/")] == [1.0, 2.0]
    assert api.get(f"{USERS}/ends%2F")["id"] == "ends/"


def test_the_environment_is_that_of_the_key_or_named(api: Api, engine: EmbeddedEngine, spend: Spend) -> None:
    spend("here", "1")
    of_test = Api(api.client, key_for(engine, Scope("default", "test")))
    assert user(api, "here", environment="prod")["environment"] == "prod"
    assert of_test.refused("GET", f"{USERS}/here/", 404) == NOT_FOUND
    assert of_test.refused("GET", f"{USERS}/here/?environment=prod", 404) == NOT_FOUND
    assert api.refused("GET", f"{USERS}/here/?environment=staging", 400) == {
        "environment": ["must be 'prod' or 'test'"],
        "detail": "environment must be 'prod' or 'test'",
    }


def test_a_key_of_both_environments_finds_each_customer_in_the_one_that_is_named(
    api: Api, engine: EmbeddedEngine
) -> None:
    command = IssueApiKey(Scope("acme", "test"), Provenance("test"), ("admin",), environments=("test", "prod"))
    issued = engine.commands.handle(command)
    assert engine.wait_folded(issued.position or 0, 60)
    of_both = Api(api.client, issued.state.secret)
    of_both.deliver([llm_request("of-acme", "twin", BEFORE, cost_usd="2")])
    assert user(of_both, "twin")["environment"] == "test"
    assert user(of_both, "twin", environment="test")["total_period_usage"] == 2.0
    assert of_both.refused("GET", f"{USERS}/twin/?environment=prod", 404) == NOT_FOUND
    Api(api.client, key_for(engine, Scope("acme", "prod"))).deliver([llm_request("of-prod", "twin", BEFORE)])
    changed = of_both.send("PATCH", f"{USERS}/twin/?environment=prod", 200, json={"name": "Prod"}).json()
    assert (changed["environment"], changed["organization_name"], changed["name"]) == ("prod", "acme", "Prod")
    of_both.send("DELETE", f"{USERS}/twin/?environment=prod", 204)
    assert user(of_both, "twin")["name"] is None


@pytest.mark.parametrize(
    ("scopes", "method", "status"),
    [
        (("read",), "GET", 200),
        (("read",), "PATCH", 403),
        (("read",), "DELETE", 403),
        (("ingest",), "GET", 403),
        (("admin",), "PATCH", 200),
    ],
)
def test_a_key_may_do_what_its_scopes_allow(
    api: Api, engine: EmbeddedEngine, spend: Spend, scopes: tuple[str, ...], method: str, status: int
) -> None:
    spend("guarded", "1")
    limited = Api(api.client, key_for(engine, DEFAULT_SCOPE, *scopes))
    sent: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
    assert ("detail" in limited.send(method, f"{USERS}/guarded/", status, **sent).json()) is (status == 403)


@pytest.mark.parametrize(
    ("member", "value", "rule"),
    [
        ("period_start", 1_795_000_000, "must be a date, or a date and time, in ISO 8601"),
        ("total_budget", "much", "must be a number"),
        ("metadata", [], "input should be a valid dictionary"),
    ],
)
def test_a_rule_is_told_in_words_of_its_own(api: Api, spend: Spend, member: str, value: Any, rule: str) -> None:
    spend("ruled", "1")
    refusal = api.refused("PATCH", f"{USERS}/ruled/", 400, {member: value})
    assert refusal == {member: [rule], "detail": f"{member} {rule}"}


def test_an_answer_can_be_asked_for_again(api: Api, spend: Spend) -> None:
    spend("past", "1")
    first = api.send("GET", f"{USERS}/past/", 200)
    spend("past", "1")
    then = {
        "Meterfold-As-Of": first.headers["Meterfold-Position"],
        "Meterfold-At": first.headers["Meterfold-Now"],
    }
    assert user(api, "past")["total_period_usage"] == 2.0
    assert api.send("GET", f"{USERS}/past/", 200, then).json() == first.json()
