"""The link to the customer portal, as Lago's clients ask for it."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import DEFAULT_SCOPE
from tests.api.dialects.lago.conftest import BASE, refusal_of
from tests.engine_fixtures import Api, SettableClock, key_for, llm_request

NOT_FOUND = (404, {"status": 404, "error": "Not Found", "code": "customer_not_found"})


@pytest.mark.parametrize("customer", ["portal", "portal/eu/user.7"])
def test_a_customer_has_a_link_that_opens_for_twelve_hours(api: Api, clock: SettableClock, customer: str) -> None:
    api.post(f"{BASE}/customers", {"customer": {"external_id": customer, "name": "Of Lago"}}, 200)
    answer = api.send("GET", f"{BASE}/customers/{customer}/portal_url", 200)
    assert (list(answer.json()), list(answer.json()["customer"])) == (["customer"], ["portal_url"])
    assert answer.headers["Cache-Control"] == "no-store"
    link = urlsplit(answer.json()["customer"]["portal_url"])
    assert (link.netloc, link.path.startswith("/portal/")) == ("testserver", True)
    page = api.client.get(link.path)
    assert (page.status_code, "Of Lago" in page.text) == (200, True)
    clock.advance(hours=12)
    assert api.client.get(link.path).status_code == 403


def test_a_customer_known_by_usage_has_one_too(api: Api, clock: SettableClock) -> None:
    api.deliver([llm_request("portal-1", "portal-used", clock() - timedelta(hours=1))])
    assert "portal_url" in api.get(f"{BASE}/customers/portal-used/portal_url")["customer"]


def test_an_unknown_or_deleted_customer_has_none(api: Api) -> None:
    assert refusal_of(api, "GET", "/customers/portal-nobody/portal_url") == NOT_FOUND
    api.post(f"{BASE}/customers", {"customer": {"external_id": "portal-gone"}}, 200)
    api.delete(f"{BASE}/customers/portal-gone")
    assert refusal_of(api, "GET", "/customers/portal-gone/portal_url") == NOT_FOUND


def test_a_key_that_may_only_ingest_gets_none(api: Api, engine: EmbeddedEngine) -> None:
    ingester = Api(api.client, key_for(engine, DEFAULT_SCOPE, "ingest"))
    assert ingester.send("GET", f"{BASE}/customers/portal/portal_url", None).status_code == 403
