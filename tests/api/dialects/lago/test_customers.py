"""One customer through Lago's routes: created, changed, shown, deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from tests.api.dialects.conftest import Spend
from tests.api.dialects.lago.conftest import APRIL_29, BASE, refusal_of
from tests.engine_fixtures import Api, customer_path

BEFORE = APRIL_29 - timedelta(days=2)
ADDRESS = {
    "address_line1": "5230 Penfield Ave",
    "address_line2": "",
    "city": "Woodland Hills",
    "state": "CA",
    "zipcode": "91364",
    "country": "US",
}
GIVEN: dict[str, Any] = {
    "name": "Gavin Belson",
    "firstname": "Gavin",
    "lastname": "Belson",
    "account_type": "partner",
    "customer_type": "company",
    "email": "dinesh@piedpiper.test",
    "currency": "EUR",
    "timezone": "America/Los_Angeles",
    "legal_name": "Coleman-Blair",
    "legal_number": "49-008-2965",
    "logo_url": "http://hooli.com/logo.png",
    "url": "http://hooli.com",
    "phone": "1-171-883-3711 x245",
    "tax_identification_number": "EU123456789",
    "external_salesforce_id": "sf-1",
    "net_payment_term": 30,
    "finalize_zero_amount_invoice": "skip",
    "skip_invoice_custom_sections": True,
    "billing_entity_code": "acme_corp",
    **ADDRESS,
    "shipping_address": ADDRESS,
    "billing_configuration": {
        "invoice_grace_period": 3,
        "payment_provider": "stripe",
        "payment_provider_code": "stripe-eu-1",
        "provider_customer_id": "cus_12345",
        "sync": True,
        "sync_with_provider": False,
        "document_locale": "fr",
        "provider_payment_methods": ["card"],
    },
}
UNSET: dict[str, Any] = {
    **dict.fromkeys(GIVEN),
    "account_type": "customer",
    "billing_entity_code": "default",
    "finalize_zero_amount_invoice": "inherit",
    "skip_invoice_custom_sections": False,
    "shipping_address": {},
    "billing_configuration": {},
}
#: Ids, with the path segment in which an HTTP client that does not escape ids sends each.
UNESCAPED = [
    ("acme/eu/7", "acme/eu/7"),
    ("acme/eu/7", "acme%2Feu%2F7"),
    ("acme//7", "acme//7"),
    ("v1.2.json", "v1.2.json"),
    ("%2F", "%252F"),
    ("ünï 🙂", quote("ünï 🙂")),
    ("42", "42"),
]


def upserted(api: Api, external_id: Any, **members: Any) -> Any:
    """A customer as POST answers it."""
    body = {"customer": {"external_id": external_id, **members}}
    return api.send("POST", f"{BASE}/customers", 200, json=body).json()["customer"]


def customer(api: Api, external_id: str) -> Any:
    """A customer as GET answers it."""
    return api.get(f"{BASE}/customers/{external_id}")["customer"]


def invalid(api: Api, **members: Any) -> Any:
    """The codes of the invalid fields of a POST."""
    status, body = refusal_of(api, "POST", "/customers", json={"customer": members})
    assert (status, body["code"], body["error"]) == (422, "validation_errors", "Unprocessable Entity")
    return body["error_details"]


def test_every_field_that_is_set_is_shown(api: Api) -> None:
    integration = {
        "integration_type": "xero", "integration_code": "xero-1", "external_customer_id": "x",
        "sync_with_provider": True,
    }  # fmt: skip
    sent = {
        **GIVEN,
        "tax_codes": ["vat"],
        "invoice_custom_section_codes": ["a"],
        "integration_customers": [integration],
    }
    shown = upserted(api, "full", **sent)
    ids = {name: shown.pop(name) for name in ("lago_id", "sequential_id", "slug")}
    (shown_integration,) = shown.pop("integration_customers")
    assert shown == {
        "external_id": "full",
        **GIVEN,
        "applicable_timezone": "America/Los_Angeles",
        "metadata": [],
        "taxes": [],
        "applicable_invoice_custom_sections": [],
        "error_details": [],
        "created_at": "2026-04-29T08:59:51Z",
        "updated_at": "2026-04-29T08:59:51Z",
    }
    assert str(UUID(ids["lago_id"])) == ids["lago_id"]
    assert ids["slug"].startswith("DEF-")
    assert ids["slug"].endswith(f"-{ids['sequential_id']:03}")
    assert shown_integration == {
        "lago_id": shown_integration["lago_id"], "type": "xero", "integration_code": "xero-1",
        "external_customer_id": "x", "sync_with_provider": True,
    }  # fmt: skip
    assert customer(api, "full") == {**shown, **ids, "integration_customers": [shown_integration]}


def test_native_fields_are_the_same_in_every_api(api: Api) -> None:
    upserted(api, "shared", name="Shared", email="a@b.example", currency="JPY", timezone="Asia/Tokyo")
    native = api.get(customer_path("shared"))
    assert (native["name"], native["email"], native["currency"], native["time_zone"]) == (
        "Shared",
        "a@b.example",
        "JPY",
        "Asia/Tokyo",
    )
    api.patch(customer_path("shared"), {"name": "Changed", "time_zone": None})
    shown = customer(api, "shared")
    assert (shown["name"], shown["timezone"], shown["applicable_timezone"]) == ("Changed", None, "UTC")


def test_an_absent_member_stays_and_null_clears(api: Api) -> None:
    whole = upserted(api, "kept", **GIVEN)
    assert upserted(api, "kept") == whole
    assert upserted(api, "kept", phone="2", shipping_address={"city": "Paris"}) == {
        **whole,
        "phone": "2",
        "shipping_address": {**ADDRESS, "city": "Paris"},
    }
    cleared = upserted(api, "kept", **dict.fromkeys(GIVEN))
    assert {name: cleared[name] for name in GIVEN} == UNSET
    assert cleared["lago_id"] == whole["lago_id"]


def test_a_creation_with_null_for_everything_sets_nothing(api: Api) -> None:
    shown = upserted(api, "nulls", **dict.fromkeys(GIVEN), metadata=None, integration_customers=None, tax_codes=None)
    assert {name: shown[name] for name in GIVEN} == UNSET
    assert api.get(customer_path("nulls"))["origin"] == "explicit"


def test_values_are_read_leniently(api: Api) -> None:
    shown = upserted(
        api, 42, name=7, country="fr", email=" a@b.example\u200b", currency="", net_payment_term="15", unknown=[1]
    )
    read = (shown["external_id"], shown["name"], shown["country"], shown["email"], shown["net_payment_term"])
    assert read == ("42", "7", "FR", "a@b.example", 15)


def test_who_is_known_by_usage_alone_is_found_and_made_explicit_with_it(api: Api, spend: Spend) -> None:
    spend("seen", "1", BEFORE)
    found = customer(api, "seen")
    assert (found["name"], found["created_at"]) == (None, "2026-04-27T08:59:51Z")
    made = upserted(api, "seen", name="Seen", phone=None)
    assert made == {**found, "name": "Seen", "created_at": "2026-04-29T08:59:51Z", "updated_at": "2026-04-29T08:59:51Z"}
    assert api.get(customer_path("seen"))["origin"] == "explicit"


def test_all_invalid_fields_are_told_at_once(api: Api) -> None:
    assert invalid(api, currency="XXX", country="ZZ", name="n" * 256, email="none", phone={"a": 1}) == {
        "external_id": ["value_is_mandatory"],
        "currency": ["value_is_invalid"],
        "country": ["value_is_invalid"],
        "name": ["value_is_too_long"],
        "email": ["invalid_email_format"],
        "phone": ["value_is_invalid"],
    }
    assert invalid(api, external_id="", timezone="Mars/Base", account_type="x", net_payment_term=-1) == {
        "external_id": ["value_is_mandatory"],
        "timezone": ["value_is_invalid"],
        "account_type": ["value_is_invalid"],
        "net_payment_term": ["value_is_invalid"],
    }
    assert invalid(api, external_id=".", finalize_zero_amount_invoice="x", shipping_address={"country": "ZZ"}) == {
        "external_id": ["value_is_invalid"],
        "finalize_zero_amount_invoice": ["invalid_value"],
        "shipping_address.country": ["value_is_invalid"],
    }


def test_a_rule_of_the_engine_names_no_field_of_its_own(api: Api) -> None:
    methods = {"provider_payment_methods": ["x" * 1_000] * 80}
    assert invalid(api, external_id="large", billing_configuration=methods) == {"base": ["value_is_invalid"]}


def test_a_customer_is_in_each_other_system_once(api: Api) -> None:
    def refused(*integrations: Any) -> Any:
        return invalid(api, external_id="elsewhere", integration_customers=list(integrations))

    xero, netsuite = {"integration_type": "xero"}, {"integration_type": "netsuite"}
    assert refused(netsuite, xero, netsuite) == {"integration_customers": ["invalid_count_per_integration_type"]}
    assert refused(xero, {"integration_type": "zzz"}) == {
        "integration_customers.1.integration_type": ["value_is_invalid"]
    }
    assert refused({}) == {"integration_customers.0.integration_type": ["value_is_mandatory"]}
    shown = upserted(api, "elsewhere", integration_customers=[netsuite, xero])["integration_customers"]
    assert [one["type"] for one in shown] == ["netsuite", "xero"]


def test_a_payment_provider_is_one_that_lago_has(api: Api) -> None:
    def configured(provider: Any) -> Any:
        return upserted(api, "paying", billing_configuration={"payment_provider": provider})["billing_configuration"]

    assert [configured(one) for one in ("adyen", "gocardless", "stripe")] == [
        {"payment_provider": one} for one in ("adyen", "gocardless", "stripe")
    ]
    assert configured(None) == {}
    wrong = {"payment_provider": "zzz"}
    refused = {"billing_configuration.payment_provider": ["value_is_invalid"]}
    assert invalid(api, external_id="paying", billing_configuration=wrong) == refused


def test_the_time_zone_that_only_lago_names_is_shown_as_it_was_given(api: Api) -> None:
    shown = upserted(api, "far", timezone="GMT+12")
    assert (shown["timezone"], shown["applicable_timezone"]) == ("GMT+12", "GMT+12")
    assert api.get(customer_path("far"))["time_zone"] == "Etc/GMT+12"  # twelve hours west of Greenwich
    assert upserted(api, "far", timezone=shown["timezone"]) == shown


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"customer": null}', b'{"customer": []}', b'{"customer": {}}', b'{"external_id": "a"}'],
)
def test_a_body_without_a_customer_is_refused(api: Api, body: bytes) -> None:
    refused = {"status": 400, "error": "BadRequest: param is missing or the value is empty or invalid: customer"}
    assert refusal_of(api, "POST", "/customers", content=body) == (400, refused)


def test_a_body_that_is_no_json_is_refused(api: Api) -> None:
    status, body = refusal_of(api, "POST", "/customers", content=b"{")
    assert (status, set(body), body["error"].partition(":")[0]) == (400, {"status", "error"}, "BadRequest")


@pytest.mark.parametrize(("external_id", "segment"), UNESCAPED)
def test_ids_may_hold_anything_also_unescaped(api: Api, external_id: str, segment: str) -> None:
    made = upserted(api, external_id)
    path = f"{BASE}/customers/{segment}"
    assert api.send("GET", path, 200).json()["customer"] == made
    assert api.send("DELETE", path, 200).json()["customer"] == made
    assert api.send("GET", path, 404).json()["code"] == "customer_not_found"


def test_a_deletion_answers_the_customer_and_the_next_one_with_its_id_is_another(api: Api) -> None:
    before = upserted(api, "twice", name="First", phone="1")
    assert api.send("DELETE", f"{BASE}/customers/twice", 200, {"Content-Type": "application/json"}).json() == {
        "customer": before
    }
    gone = {"status": 404, "error": "Not Found", "code": "customer_not_found"}
    assert refusal_of(api, "GET", "/customers/twice") == (404, gone)
    assert refusal_of(api, "DELETE", "/customers/twice") == (404, gone)
    after = upserted(api, "twice")
    assert (after["name"], after["phone"]) == (None, None)
    assert after["lago_id"] != before["lago_id"]
    assert after["sequential_id"] > before["sequential_id"]


def test_numbers_of_customers_rise_and_stay(api: Api) -> None:
    made = [upserted(api, f"numbered-{place}") for place in range(3)]
    numbers = [one["sequential_id"] for one in made]
    assert numbers == sorted(set(numbers))
    assert [customer(api, f"numbered-{place}")["sequential_id"] for place in range(3)] == numbers


def test_a_customer_is_shown_as_it_was_known_earlier(api: Api) -> None:
    answer = api.send("POST", f"{BASE}/customers", 200, json={"customer": {"external_id": "past", "phone": "1"}})
    position = answer.headers["meterfold-position"]
    upserted(api, "past", phone="2")
    then = api.send("GET", f"{BASE}/customers/past", 200, {"Meterfold-As-Of": position}).json()["customer"]
    assert then == answer.json()["customer"]
    assert customer(api, "past")["phone"] == "2"


def test_what_only_lago_knows_of_a_person_is_not_in_the_native_history_in_the_clear_without_its_key(api: Api) -> None:
    upserted(api, "person", phone="0190", account_type="partner")
    (fact,) = api.get(customer_path("person") + "/history")["data"]
    assert fact["fields"] == {
        "dialect_fields": {"lago": {"account_type": "partner"}},
        "personal_dialect_fields": {"lago": {"phone": "0190"}},
    }
    assert fact["dialect"] == "lago"
