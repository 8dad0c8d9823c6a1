"""LiteLLM's clients get position and time in headers, and repeat an answer by sending them back."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.api.dialects.conftest import Spend
from tests.engine_fixtures import Api, SettableClock

READS: Final = (
    "/customer/info?end_user_id=known",
    "/customer/list",
    "/customer/list?page=1",
    "/end_user/list",
    "/budget/list",
    "/budget/settings?budget_id=known",
    "/customer/daily/activity?start_date=2026-11-01&end_date=2026-11-30",
    "/spend/logs/v2",
)


def asked(api: Api, path: str, as_of: str | None = None, at: str | None = None) -> Any:
    given = {"Meterfold-As-Of": as_of, "Meterfold-At": at}
    return api.send("GET", path, None, {name: value for name, value in given.items() if value is not None})


def test_every_read_is_repeated_by_its_headers(api: Api, spend: Spend, clock: SettableClock) -> None:
    api.post("/budget/new", {"budget_id": "known", "max_budget": 3, "budget_duration": "1d"}, status=200)
    api.post("/customer/new", {"user_id": "known", "budget_id": "known", "alias": "Before"}, status=200)
    spend("known", "0.5")
    before = {path: asked(api, path) for path in READS}
    shown = api.post("/budget/info", {"budgets": ["known"]}, status=200)
    clock.advance(days=2)
    spend("known", "0.25")
    clock.advance(minutes=1)
    api.post("/budget/update", {"budget_id": "known", "max_budget": 5}, status=200)
    api.post("/customer/delete", {"user_ids": ["known"]}, status=200)
    for path, answer in before.items():
        position, now = answer.headers["meterfold-position"], answer.headers["meterfold-now"]
        again = asked(api, path, position, now)
        assert (again.status_code, again.text) == (200, answer.text)
        assert (again.headers["meterfold-position"], again.headers["meterfold-now"]) == (position, now)
    position, now = before[READS[0]].headers["meterfold-position"], before[READS[0]].headers["meterfold-now"]
    headers = {"Meterfold-As-Of": position, "Meterfold-At": now}
    again = api.send("POST", "/budget/info", 200, headers, json={"budgets": ["known"]})
    assert again.json() == shown
    assert asked(api, READS[0]).status_code == 404


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(
    ("as_of", "at", "named"),
    [("soon", None, "Meterfold-As-Of"), ("9999999", None, "Meterfold-As-Of"), (None, "12", "Meterfold-At")],
)
def test_a_header_that_names_no_moment_is_refused(
    api: Api, path: str, as_of: str | None, at: str | None, named: str
) -> None:
    refused = asked(api, path, as_of, at)
    assert refused.status_code == 422
    assert named in refused.text


def test_an_answer_to_a_change_tells_what_it_is_true_for(api: Api, clock: SettableClock) -> None:
    made = api.send("POST", "/customer/new", 200, json={"user_id": "made"})
    again = asked(api, "/customer/info?end_user_id=made", made.headers["meterfold-position"])
    assert again.json() == made.json()
    assert made.headers["meterfold-now"] == again.headers["meterfold-now"]
