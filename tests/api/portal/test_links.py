"""What opens the portal and what does not: signatures, time, revocations, lives; and where tokens do not appear."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from consumers.embedded.engine import EmbeddedEngine
from consumers.engine import Engine
from domain.scope import Scope
from projections.errors import ReadStoreUnavailable
from tests.api.portal.conftest import Portal
from tests.api.portal.page_texts import texts_of
from tests.captured_logs import captured_logs
from tests.engine_fixtures import Api, SettableClock, engine_on, http, key_for, llm_request

NOT_VALID = "This link is not valid"
GONE = "There is nothing to show"


def test_a_link_opens_the_page_of_its_customer_without_a_key(api: Api, portal: Portal) -> None:
    api.post("/v1/customers", {"id": "opens", "name": "Ada Lovelace"})
    page = portal.opened("opens")
    assert "Ada Lovelace" in page
    assert "March 2026" in page


def test_it_expires(api: Api, portal: Portal, clock: SettableClock) -> None:
    api.post("/v1/customers", {"id": "expires"})
    short, long = portal.link("expires", valid_seconds=60), portal.link("expires")
    clock.advance(seconds=60)
    assert NOT_VALID in portal.page(short, 403)
    portal.page(long)
    clock.advance(hours=12)
    assert NOT_VALID in portal.page(long, 403)


@pytest.mark.parametrize(("added", "status"), [("x", 403), (".", 403), ("%00", 403), ("%2F..", 403), ("%FF", 400)])
def test_a_changed_or_invented_link_opens_nothing(api: Api, portal: Portal, added: str, status: int) -> None:
    api.post("/v1/customers", {"id": f"changed {added}"})
    path = portal.link(f"changed {added}")
    assert NOT_VALID in portal.page(path + added, status)
    assert NOT_VALID in portal.page("/portal/invented" + added, status)
    portal.page(path + "?unknown=parameter")


def test_revoking_ends_the_links_made_before_and_none_made_after(api: Api, portal: Portal) -> None:
    api.post("/v1/customers", {"id": "revoked"})
    api.post("/v1/customers", {"id": "not revoked"})
    before, other = portal.link("revoked"), portal.link("not revoked")
    api.delete("/v1/customers/revoked/portal-links")
    after = portal.link("revoked")
    assert NOT_VALID in portal.page(before, 403)
    portal.page(after)
    portal.page(other)
    api.delete("/v1/customers/revoked/portal-links")
    assert NOT_VALID in portal.page(after, 403)


def test_a_deleted_customer_and_another_life_of_its_id_are_not_shown(
    api: Api, portal: Portal, clock: SettableClock
) -> None:
    api.post("/v1/customers", {"id": "lives"})
    first = portal.link("lives")
    clock.advance(seconds=1)
    api.delete("/v1/customers/lives")
    assert GONE in portal.page(first, 404)
    api.post("/v1/customers", {"id": "lives", "name": "Someone else"})
    assert "Someone else" not in portal.page(first, 404)
    assert "Someone else" in portal.opened("lives")


def test_a_customer_known_by_usage_has_a_portal_and_a_link_makes_it_no_explicit_one(
    api: Api, portal: Portal, clock: SettableClock
) -> None:
    api.deliver([llm_request("used", "by usage", clock(), cost_usd="3")])
    assert "3.00" in portal.opened("by usage")
    api.delete("/v1/customers/by%20usage/portal-links")
    assert api.get("/v1/customers/by%20usage")["origin"] == "usage"


def test_every_answer_is_kept_nowhere_and_tells_its_address_to_nobody(api: Api, portal: Portal) -> None:
    api.post("/v1/customers", {"id": "headers"})
    path = portal.link("headers")
    for asked in (path, "/portal/nothing", path + "?period=none"):
        headers = api.client.get(asked).headers
        assert {name: headers[name] for name in ("Cache-Control", "Referrer-Policy", "X-Content-Type-Options")} == {
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        policy = headers["Content-Security-Policy"].split("; ")
        assert (policy[0], policy[-1]) == ("default-src 'none'", "frame-ancestors *")
        assert not any("unsafe" in one or "script" in one for one in policy)


def test_another_method_and_a_longer_path_are_answered_with_a_page_too(api: Api, portal: Portal) -> None:
    api.post("/v1/customers", {"id": "methods"})
    path = portal.link("methods")
    for method, asked, status in (("POST", path, 405), ("GET", path + "/more", 404), ("HEAD", path, 200)):
        answer = api.client.request(method, asked)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")


def test_what_is_no_whole_link_is_said_to_be_none(api: Api, portal: Portal) -> None:
    api.post("/v1/customers", {"id": "whole"})
    path = portal.link("whole")
    for asked in (path + "/", path + "/more", "/portal/"):
        page = portal.page(asked, 404)
        assert (NOT_VALID in page, "is not complete" in page, GONE in page) == (True, True, False)


def test_another_method_is_said_not_to_be_allowed(api: Api, portal: Portal) -> None:
    api.post("/v1/customers", {"id": "posted"})
    answer = api.client.post(portal.link("posted"))
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert texts_of(answer.text)[-1] == "The method of the request is not allowed: this page can only be read."


def test_no_token_reaches_the_log_or_the_page(api: Api, portal: Portal) -> None:
    api.post("/v1/customers", {"id": "logged"})
    with captured_logs() as lines:
        path = portal.link("logged")
        shown = portal.page(path) + portal.page(path + "x", 403) + portal.page(path, 404, "?period=1999-01-01")
    token = path.removeprefix("/portal/")
    with captured_logs() as more:
        for elsewhere in (f"/{path}", f"/usage{path}", f"/PORTAL/{token}"):
            assert api.client.get(f"http://testserver{elsewhere}").status_code == 404
    lines += more
    assert [line["path"] for line in lines][-6:-3] == ["/portal/..."] * 3
    assert [line["path"] for line in lines][-3:] == ["//portal/...", "/usage/portal/...", "/PORTAL/..."]
    assert token not in str(lines) + shown
    assert token.partition(".")[0] not in str(lines) + shown


class Unreadable:
    """An engine whose read store fails with this error."""

    def __init__(self, engine: EmbeddedEngine, error: Exception) -> None:
        self._engine = engine
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    @property
    def reads(self) -> Unreadable:
        return self

    def snapshot(self) -> Any:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status"), [(ReadStoreUnavailable("the disk is full"), 503), (RuntimeError("unexpected"), 500)]
)
def test_an_error_is_logged_without_the_token(
    engine: EmbeddedEngine, api: Api, portal: Portal, error: Exception, status: int
) -> None:
    api.post("/v1/customers", {"id": f"failing {status}"})
    path = portal.link(f"failing {status}")
    app = create_app(cast(Engine, Unreadable(engine, error)))
    with captured_logs() as lines, TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get(path)
    assert (answer.status_code, "Usage cannot be shown at present" in answer.text) == (status, True)
    assert {line["event"] for line in lines} >= {"request", "storage_refused" if status == 503 else "request_failed"}
    assert path.removeprefix("/portal/") not in "".join(f"{line}" for line in lines) + answer.text


def test_links_are_those_of_the_tenant_of_the_key(engine: EmbeddedEngine, api: Api) -> None:
    other = Api(api.client, key_for(engine, Scope("other", "prod")))
    api.post("/v1/customers", {"id": "of one tenant"})
    assert other.refused("POST", "/v1/customers/of one tenant/portal-links", 404)["type"] == "/problems/not_found"
    assert other.refused("DELETE", "/v1/customers/of one tenant/portal-links", 404)["type"] == "/problems/not_found"


def test_links_survive_a_restart_and_a_rebuild_and_end_with_another_secret(tmp_path: Path) -> None:
    clock = SettableClock()
    with engine_on(tmp_path, clock) as engine, http(engine) as api:
        api.post("/v1/customers", {"id": "ann"})
        portal = Portal(api)
        revoked = portal.link("ann")
        api.delete("/v1/customers/ann/portal-links")
        kept = portal.link("ann")
        list(engine.replay())
        assert (api.client.get(revoked).status_code, api.client.get(kept).status_code) == (403, 200)
    clock.advance(hours=1)
    assert stat.S_IMODE((tmp_path / "portal.secret").stat().st_mode) == 0o600
    with engine_on(tmp_path, clock) as engine, http(engine) as api:
        assert (api.client.get(revoked).status_code, api.client.get(kept).status_code) == (403, 200)
    with engine_on(tmp_path, clock, portal_signing_secret="x" * 32) as engine, http(engine) as api:
        assert api.client.get(kept).status_code == 403
        assert api.client.get(Portal(api).link("ann")).status_code == 200


def test_a_link_begins_with_the_public_address_else_with_that_of_the_request(tmp_path: Path) -> None:
    with engine_on(tmp_path / "one", SettableClock()) as engine, http(engine) as api:
        api.post("/v1/customers", {"id": "ann"})
        made = api.send("POST", "/v1/customers/ann/portal-links", 201, {"Host": "meter.example:8080"})
        assert made.json()["url"].startswith("http://meter.example:8080/portal/")
        assert made.headers["Cache-Control"] == "no-store"
    with engine_on(tmp_path / "two", SettableClock(), public_url="https://u.example/m/") as engine, http(engine) as api:
        api.post("/v1/customers", {"id": "ann"})
        assert api.post("/v1/customers/ann/portal-links")["url"].startswith("https://u.example/m/portal/")


def test_only_named_sites_may_frame_it_if_the_setting_says_so(tmp_path: Path) -> None:
    sites = ("https://app.example.com", "https://*.example.org:8443")
    with engine_on(tmp_path, SettableClock(), portal_frame_ancestors=",".join(sites)) as engine, http(engine) as api:
        api.post("/v1/customers", {"id": "ann"})
        policy = api.client.get(Portal(api).link("ann")).headers["Content-Security-Policy"]
    assert policy.endswith("; frame-ancestors https://app.example.com https://*.example.org:8443")


def test_a_link_is_valid_for_at_most_seven_days(api: Api, clock: SettableClock) -> None:
    api.post("/v1/customers", {"id": "bounds"})
    path = "/v1/customers/bounds/portal-links"
    longest = api.post(path, {"valid_seconds": 7 * 86_400})
    expected = (clock() + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert (longest["customer"], longest["expires_at"]) == ("bounds", expected)
    for seconds in (59, 7 * 86_400 + 1, "60"):
        assert api.refused("POST", path, 422, {"valid_seconds": seconds})["field"] == "valid_seconds"


def test_a_key_that_may_read_makes_links_and_only_an_administrator_revokes_them(
    engine: EmbeddedEngine, api: Api
) -> None:
    api.post("/v1/customers", {"id": "scopes"})
    path = "/v1/customers/scopes/portal-links"
    by = {scope: Api(api.client, key_for(engine, Scope("default", "prod"), scope)) for scope in ("read", "ingest")}
    answers = [by[scope].send(method, path, None).status_code for scope in by for method in ("POST", "DELETE")]
    assert answers == [201, 403, 403, 403]
