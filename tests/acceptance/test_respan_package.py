"""The published client of Respan, unmodified, takes a customer from its first usage to its deletion."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.respan_environment import run_there
from tests.meterfold_process import ADMIN_KEY, serving

WALK = Path(__file__).with_name("respan_walk.py")
CUSTOMER = "acme/eu/user 🙂"


def test_the_published_client_updates_retrieves_lists_and_deletes(tmp_path: Path) -> None:
    with serving(tmp_path / "data", tmp_path / "output") as server:
        answers = json.loads(run_there("python", str(WALK), server.url, ADMIN_KEY))

    first, changed, cleared = answers["retrieve"], answers["update"], answers["clear"]
    assert (first["id"], first["total_period_usage"], first["name"]) == (CUSTOMER, 0.25, None)
    given = ("name", "email", "metadata", "period_budget", "budget_duration", "total_budget", "markup_percentage")
    assert [changed[name] for name in given] == ["Ada", "ada@acme.dev", {"plan": "pro"}, 100.0, "monthly", 1000.5, 20.0]
    assert changed["period_start"][8:] == "01T00:00:00Z"
    assert (cleared["total_budget"], cleared["period_budget"]) == (None, 100.0)
    assert [(one["customer_identifier"], one["total_cost"]) for one in answers["filtered"]] == [(CUSTOMER, 0.25)]
    assert answers["all"] == [CUSTOMER, "other"]
    assert answers["delete"] is None
    assert answers["gone"] == {"error": "NotFoundError", "status": 404, "body": {"detail": "Not found."}}
    assert answers["refused"] == {
        "error": "BadRequestError",
        "status": 400,
        "body": {"period_budget": ["must not be negative"], "detail": "period_budget must not be negative"},
    }
    assert (answers["stranger"]["status"], list(answers["stranger"]["body"])) == (401, ["detail"])
