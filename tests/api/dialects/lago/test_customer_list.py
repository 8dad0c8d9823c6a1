"""The list of customers: pages, order and filters."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import Scope
from tests.api.dialects.conftest import Spend
from tests.api.dialects.lago.conftest import APRIL_29, BASE, refusal_of
from tests.api.dialects.lago.test_customers import customer, upserted
from tests.engine_fixtures import Api, key_for


@pytest.fixture(scope="module", autouse=True)
def listed_customers(api: Api, spend: Spend) -> None:
    """Five customers: four with profiles, in the order of their creation, and one known by usage alone."""
    upserted(api, "acme", name="Acme Corp", currency="EUR", country="FR", state="IDF", zipcode="75001",
             metadata=[{"key": "plan", "value": "pro"}, {"key": "synced", "value": "true"}])  # fmt: skip
    upserted(api, "bolt", legal_name="BOLT GmbH", currency="USD", country="DE", account_type="partner",
             customer_type="company", tax_identification_number="DE1")  # fmt: skip
    upserted(api, "cora", firstname="Cora", lastname="Brown", email="cora@acme.example", country="US",
             state="CA", zipcode="91364", customer_type="individual", tax_identification_number="")  # fmt: skip
    spend("seen", "1", APRIL_29 - timedelta(days=1))
    upserted(api, "dead", name="Acme Dead")
    api.send("DELETE", f"{BASE}/customers/dead", 200)
    upserted(api, "dora", billing_entity_code="dach", metadata=[{"key": "plan", "value": "free"}])


EVERYBODY = ["dora", "seen", "cora", "bolt", "acme"]


def found(api: Api, query: str = "") -> list[str]:
    answer = api.send("GET", f"{BASE}/customers?{query}", 200).json()
    names = [one["external_id"] for one in answer["customers"]]
    assert answer["meta"]["total_count"] >= len(names)
    return names


def test_customers_are_listed_as_they_are_shown_those_created_last_first(api: Api) -> None:
    answer = api.get(f"{BASE}/customers")
    assert [one["external_id"] for one in answer["customers"]] == EVERYBODY
    assert answer["customers"] == [customer(api, name) for name in EVERYBODY]
    assert answer["meta"] == {
        "current_page": 1, "next_page": None, "prev_page": None, "total_pages": 1, "total_count": 5
    }  # fmt: skip


def test_pages_follow_each_other(api: Api) -> None:
    pages = [api.get(f"{BASE}/customers", page=number, per_page=2) for number in (1, 2, 3, 4)]
    assert [[one["external_id"] for one in page["customers"]] for page in pages] == [
        EVERYBODY[:2], EVERYBODY[2:4], EVERYBODY[4:], []
    ]  # fmt: skip
    assert [tuple(page["meta"].values()) for page in pages] == [
        (1, 2, None, 3, 5), (2, 3, 1, 3, 5), (3, None, 2, 3, 5), (4, None, None, 3, 5)
    ]  # fmt: skip


def test_an_empty_list_has_no_page(api: Api, engine: EmbeddedEngine) -> None:
    of_nobody = Api(api.client, key_for(engine, Scope("nobody", "prod")))
    nothing = {
        "customers": [],
        "meta": {"current_page": 0, "next_page": None, "prev_page": None, "total_pages": 0, "total_count": 0},
    }
    assert of_nobody.get(f"{BASE}/customers") == nothing
    assert api.get(f"{BASE}/customers", search_term="nobody has this") == nothing


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("search_term=ACME", ["cora", "acme"]),
        ("search_term=gmbh", ["bolt"]),
        ("search_term=brown", ["cora"]),
        ("search_term=see", ["seen"]),
        ("search_term=", EVERYBODY),
        ("external_id=cora", ["cora"]),
        ("currencies[]=EUR&currencies%5B%5D=USD", ["bolt", "acme"]),
        ("countries[]=fr&countries[]=US", ["cora", "acme"]),
        ("countries[]=US&states[]=IDF", []),
        ("states[]=IDF&zipcodes[]=75001", ["acme"]),
        ("account_type[]=partner", ["bolt"]),
        ("account_type[]=customer", ["dora", "seen", "cora", "acme"]),
        ("account_type[]=customer&account_type[]=partner", EVERYBODY),
        ("billing_entity_codes[]=dach", ["dora"]),
        ("billing_entity_codes[]=default", ["seen", "cora", "bolt", "acme"]),
        ("billing_entity_codes[]=nowhere", []),
        ("customer_type=company", ["bolt"]),
        ("customer_type=individual&has_customer_type=true", ["cora"]),
        ("has_customer_type=true", ["cora", "bolt"]),
        ("has_customer_type=false", ["dora", "seen", "acme"]),
        ("has_tax_identification_number=true", ["bolt"]),
        ("has_tax_identification_number=0", ["dora", "seen", "cora", "acme"]),
        ("metadata[plan]=pro", ["acme"]),
        ("metadata[plan]=pro&metadata[synced]=", []),
        ("metadata[plan]=free&metadata[synced]=", ["dora"]),
        ("metadata%5Bplan%5D=", ["seen", "cora", "bolt"]),
        ("unknown=1", EVERYBODY),
    ],
)
def test_only_customers_that_all_filters_let_through_are_listed(api: Api, query: str, names: list[str]) -> None:
    assert found(api, query) == names


@pytest.mark.parametrize(
    ("query", "field", "place"),
    [
        ("countries[]=FR&countries[]=ZZ", "countries", "1"),
        ("currencies[]=usd", "currencies", "0"),
        ("account_type[]=x", "account_type", "0"),
    ],
)
def test_a_value_that_none_can_have_is_refused_by_its_place(api: Api, query: str, field: str, place: str) -> None:
    status, body = refusal_of(api, "GET", f"/customers?{query}")
    assert (status, list(body["error_details"][field])) == (422, [place])
    assert body["error_details"][field][place][0].startswith("must be one of: ")


def test_all_invalid_filters_are_told_at_once(api: Api) -> None:
    query = "customer_type=x&has_tax_identification_number=maybe&currencies[]=X"
    status, body = refusal_of(api, "GET", f"/customers?{query}")
    assert (status, set(body["error_details"])) == (
        422, {"customer_type", "has_tax_identification_number", "currencies"}
    )  # fmt: skip
    refused = refusal_of(api, "GET", "/customers?customer_type=company&has_customer_type=false")[1]["error_details"]
    assert refused == {"has_customer_type": ["must be true to use customer_type"]}


@pytest.mark.parametrize("query", ["&".join(["states[]=x"] * 301), "&".join(f"metadata[{n}]=x" for n in range(301))])
def test_filters_are_bounded(api: Api, query: str) -> None:
    assert refusal_of(api, "GET", f"/customers?{query}")[0] == 422


def test_a_list_is_answered_as_it_was_known_earlier(api: Api) -> None:
    answer: Any = api.send("GET", f"{BASE}/customers", 200)
    upserted(api, "later")
    headers = {"Meterfold-As-Of": answer.headers["meterfold-position"]}
    assert api.send("GET", f"{BASE}/customers", 200, headers).json() == answer.json()
    api.send("DELETE", f"{BASE}/customers/later", 200)
