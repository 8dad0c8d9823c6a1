"""The portal in a real browser: read, switched, gone over by keyboard, in the dark, on a phone, embedded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.acceptance.portal.environment import FOLDER, browser, run_there
from tests.engine_fixtures import CLOUDEVENTS, JsonObject, llm_request
from tests.meterfold_process import ADMIN_KEY, serving

pytestmark = pytest.mark.browser

NAME = "Ada <b>Lovelace</b> & Daughters, Analytical Engines of " + "Very" * 30
PAGES = [
    *(f"usage-{screen}" for screen in ("desktop-light", "desktop-dark", "phone-light", "phone-dark", "small-light")),
    *(f"charges-{screen}" for screen in ("desktop-light", "phone-dark", "small-light")),
]


def events(now: datetime) -> Iterator[JsonObject]:
    """Usage of more than a year of a customer, of one model without a price, and of one with a long name."""
    for days in (0, 35, 66, 96, 125, 200, 300, 400):
        for customer in ("ada", "acme"):
            at, name = now - timedelta(days=days), f"{customer}-{days}"
            of = {"subscription": "subscription 1"} if customer == "acme" else {}
            yield llm_request(name, customer, at, model="gpt-4o", cost_usd=f"{days + 1}.25", input_tokens=120_000, **of)
            yield llm_request(f"{name}-long", customer, at, model="a-model-with-a-name-" * 6, cost_usd="0.004", **of)
    yield llm_request("unpriced", "ada", now, model="unpriced")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    program, folder = browser(), tmp_path_factory.mktemp("portal")
    with serving(folder / "data", folder / "output") as server:
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        with httpx.Client(base_url=server.url, headers=headers, timeout=60) as client:

            def post(path: str, body: Any, content_type: str = "application/json") -> Any:
                content = json.dumps(body).encode()
                answer = client.post(path, content=content, headers={"Content-Type": content_type})
                assert answer.is_success, answer.text
                return answer.json()

            limits = {"period_limit_usd": "100", "model_limits": {"gpt-4o": {"limit_usd": "1"}}, "duration": "1mo"}
            post("/v1/customers", {"id": "ada", "name": NAME, "time_zone": "Europe/Berlin", "budget": limits})
            post("/v1/customers", {"id": "acme"})
            for number, meter in ((1, "total_tokens"), (2, "seats")):
                price = {"model": "standard", "amount": "0.001"}
                charge = {"code": meter, "meter": meter, "price": price, "group_by": ["model"]}
                plan = {"code": meter, "interval": "monthly", "currency": "EUR", "charges": [charge]}
                post("/v1/plans", plan)
                given = {"id": f"subscription {number}", "customer": "acme", "plan": meter}
                post("/v1/subscriptions", {**given, "effective_at": "2025-01-01T00:00:00Z"})
            post("/v1/events", list(events(datetime.now(UTC))), CLOUDEVENTS)
            usage, of_plan = (post(f"/v1/customers/{one}/portal-links", {})["url"] for one in ("ada", "acme"))
            walk = str(FOLDER / "browser_walk.py")
            pictures = folder / "pictures"
            pictures.mkdir()
            return json.loads(run_there("python", walk, program, usage, of_plan, usage + "x", str(pictures)))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_its_name_period_and_amount(seen: Any, page: str) -> None:
    found = seen[page]
    assert (found["status"], found["language"]) == (200, "en")
    assert found["name"].startswith("Ada <b>Lovelace</b>" if page.startswith("usage") else "acme")
    assert re.fullmatch(r"[A-Z][a-z]+ 20\d\d", found["period"])
    assert found["title"].startswith(f"{found['period']} - usage of ")
    assert found["headline"] == ("at least 1.25 USD" if page.startswith("usage") else "120.12 EUR")


@pytest.mark.parametrize("page", [*PAGES, "not_valid", "switch"])
def test_axe_finds_nothing_wrong(seen: Any, page: str) -> None:
    assert (seen[page]["violations"], seen[page]["passes"] > 5) == ([], True)


@pytest.mark.parametrize("page", [*PAGES, "not_valid"])
def test_a_page_is_all_that_is_asked_for_and_it_has_no_script(seen: Any, page: str) -> None:
    found = seen[page]
    assert [re.sub(r"/portal/.*", "/portal/", one) for one in found["asked"] if not one.startswith("data:")] == [
        re.sub(r"/portal/.*", "/portal/", found["asked"][0])
    ]
    assert found["scripts"] == 0
    refused = ["Failed to load resource: the server responded with a status of 403 (Forbidden)"]
    assert found["complaints"] == (refused if page == "not_valid" else [])


@pytest.mark.parametrize("page", PAGES)
def test_nothing_reaches_out_of_the_window(seen: Any, page: str) -> None:
    widths = seen[page]["widths"]
    assert (widths["page"] <= widths["window"], widths["outside"]) == (True, [])


@pytest.mark.parametrize(
    ("in_light", "in_dark"),
    [("usage-desktop-light", "usage-desktop-dark"), ("charges-small-light", "charges-phone-dark")],
)
def test_it_is_dark_where_the_system_is(seen: Any, in_light: str, in_dark: str) -> None:
    light, dark = (
        sum(int(part) for part in re.findall(r"\d+", seen[page]["background"])[:3]) for page in (in_light, in_dark)
    )
    assert (light > 600, dark < 150) == (True, True)


def test_the_chart_and_the_tables_can_be_read_aloud(seen: Any) -> None:
    read = seen["read"]
    assert re.match(
        r"Bar chart of the cost of 12 periods, .+ The highest is \d+\.\d\d USD in \w+ 20\d\d\.", read["chart"]
    )
    assert read["bars"] == 12
    assert read["tables"] == [["Usage by model", 4], ["Periods", 2]]
    assert read["rows"] == 3 + 12
    assert read["landmarks"] == [1, 1, 1, 1]


def test_a_period_is_chosen_by_a_click(seen: Any) -> None:
    switch = seen["switch"]
    assert len(switch["listed"]) == 12
    assert switch["clicked"]["period"] == switch["listed"][1] != switch["period"]
    assert switch["clicked"]["headline"].endswith(" USD")
    assert "?period=" in switch["clicked"]["address"]
    assert (switch["back"]["period"], switch["back"]["headline"]) == (switch["period"], switch["headline"])


def test_everything_is_reached_by_keyboard_and_shows_its_focus(seen: Any) -> None:
    keyboard = seen["keyboard"]
    stops = keyboard["stops"]
    assert [one["text"] for one in stops[:2]] == ["Skip to the content", "\N{LEFTWARDS ARROW} Earlier period"]
    assert [one["text"] for one in stops[2:]] == seen["switch"]["listed"]
    assert [one for one in stops if not one["seen"] or not re.match(r"solid [1-9]", one["outline"])] == []
    assert keyboard["skipped_to"] == "content"
    assert keyboard["then"]["text"] == "\N{LEFTWARDS ARROW} Earlier period"
    assert keyboard["entered"]["period"] == seen["switch"]["listed"][1]


def test_another_site_shows_it_in_a_frame_and_no_address_is_told(seen: Any) -> None:
    assert seen["embedded"]["name"].startswith("Ada <b>Lovelace</b>")
    assert seen["embedded"]["referrer_within"] is None


def test_a_link_that_is_not_valid_says_so(seen: Any) -> None:
    assert (seen["not_valid"]["status"], seen["not_valid"]["name"]) == (403, "This link is not valid")
