"""The pages for people need no network, no script of their own and no key; programs get JSON at the same address."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from tests.engine_fixtures import Api, SettableClock, engine_on

FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
JSON_OF_START = b'{"name":"Meterfold","docs":"/docs","openapi":"/openapi.json","ready":"/readyz"}'
REFERENCES = ("native", "lago", "litellm", "promptshuttle", "respan")
DOCUMENTS = ["/openapi.json", *(f"/{name}/openapi.json" for name in REFERENCES[1:])]


def start_page(api: Api, **headers: str) -> str:
    answer = api.client.get("/", headers={"Accept": FIREFOX, **headers})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return answer.text


@pytest.mark.parametrize(
    "accept", [FIREFOX, "text/html", "TEXT/HTML;level=1", "text/html;q=0.9,application/json;q=0.8", "text/html,*/*"]
)
def test_who_prefers_html_gets_the_start_page(api: Api, accept: str) -> None:
    assert "<h1>Meterfold</h1>" in start_page(api, Accept=accept)


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "",
        "application/json",
        "application/json, text/html",
        "application/json, text/html;q=0.9",
        "text/html;q=0",
        "text/html;q=nan",
        "text/*",
        ";;q=,,",
    ],
)
def test_who_does_not_prefer_html_gets_what_programs_get(api: Api, accept: str) -> None:
    answer = api.client.get("/", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (
        200,
        "application/json",
        JSON_OF_START,
    )


def test_a_cache_keeps_both_answers_apart(api: Api) -> None:
    assert [api.client.get("/", headers={"Accept": one}).headers["vary"] for one in (FIREFOX, "*/*")] == ["Accept"] * 2


def test_the_first_calls_have_the_address_that_the_reader_used(api: Api) -> None:
    page = start_page(api, Host="meter.example.com:8443")
    assert "curl http://meter.example.com:8443/v1/events \\\n" in page
    assert "curl http://meter.example.com:8443/v1/customers/ada/current-usage \\\n" in page
    assert "curl http://[::1]:8080/v1/events" in start_page(api, Host="[::1]:8080")


@pytest.mark.parametrize(
    "host",
    [
        "<script>alert(1)</script>",
        "a'b",
        'a"b',
        "$(reboot)",
        "a;reboot",
        "a b",
        "[::1",
        "",
        "a:b",
        "a/b",
        "ä",
        "a" * 300,
    ],
)
def test_a_host_that_is_none_does_not_reach_the_page(api: Api, host: str) -> None:
    page = api.client.get("/", headers={b"Accept": FIREFOX.encode(), b"Host": host.encode()}).text
    assert "curl http://testserver:80/v1/events \\\n" in page
    assert "alert(1)" not in page


def test_the_address_is_that_of_the_settings_where_there_is_one(tmp_path: Path, clock: SettableClock) -> None:
    with engine_on(tmp_path / "data", clock, public_url="https://meter.example.com/in/") as engine:
        api = Api(TestClient(create_app(engine)), "")
        assert "curl https://meter.example.com/in/v1/events \\\n" in start_page(api)


def test_the_first_calls_can_be_pasted_and_count(api: Api) -> None:
    body = re.search(r"-d '(.*?)'", start_page(api), re.DOTALL)
    assert body is not None
    headers = {"Content-Type": "application/cloudevents+json"}
    receipt = api.send("POST", "/v1/events", 200, headers, content=body[1].encode()).json()
    assert receipt["counts"] == {"counted": 1, "duplicate": 0, "conflict": 0, "rejected": 0}
    assert api.get("/v1/customers/ada/current-usage")["usage"]["input_tokens"] == 1200


@pytest.mark.parametrize("path", ["/", "/docs", "/problems", "/problems/invalid"])
def test_a_page_has_only_links_that_lead_somewhere_and_loads_nothing_else(api: Api, path: str) -> None:
    page = api.client.get(path, headers={"Accept": FIREFOX}).text
    assert re.search(r"<script|src=|@import|url\(", page) is None
    links = re.findall(r"""href=["']([^"']+)["']""", page)
    assert len(links) > 1
    assert [one for one in links if not one.startswith("/")] == []
    assert {api.send("GET", one, 200).status_code for one in links} == {200}


def test_every_reference_is_listed_with_its_document(api: Api) -> None:
    for page in (start_page(api), api.send("GET", "/docs", 200).text):
        assert re.findall(r"href='(/docs/[a-z]+)'", page) == [f"/docs/{name}" for name in REFERENCES]
        assert re.findall(r"href='(/[a-z/]*openapi.json)'", page) == DOCUMENTS


@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_loads_nothing_from_elsewhere(api: Api, name: str) -> None:
    page = api.send("GET", f"/docs/{name}", 200).text
    addresses = re.findall(r"""(?:src|href)="([^"]+)\"""", page) + re.findall(r"url: '([^']+)'", page)
    assert len(addresses) == 4
    assert not re.search(r"https?://", page)
    for address in addresses:
        assert len(api.send("GET", address, 200).content) > 1_000


def test_only_the_files_of_the_references_are_served(api: Api) -> None:
    for name in ("redoc.standalone.js", "..%2fcore.py", "%2e%2e", "stripe"):
        assert api.refused("GET", f"/docs/{name}", 404)["status"] == 404
