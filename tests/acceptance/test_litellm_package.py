"""The real LiteLLM package reports its usage by configuration alone."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.acceptance.litellm_environment import run_there
from tests.meterfold_process import ADMIN_KEY, serving

CALLS = Path(__file__).with_name("litellm_calls.py")


def test_what_litellm_logs_is_counted_once_for_the_customers_it_names(tmp_path: Path) -> None:
    with serving(tmp_path / "data", tmp_path / "output") as server:
        costs = json.loads(run_there("python", str(CALLS), server.url, ADMIN_KEY).splitlines()[-1])
        with httpx.Client(base_url=server.url, headers={"x-litellm-api-key": f"Bearer {ADMIN_KEY}"}) as client:
            spent = {one["user_id"]: one["spend"] for one in client.get("/customer/list").json()}
            logs = client.get("/spend/logs/v2").json()
            usage = client.get("/v1/customers/unpriced/current-usage", headers={"X-API-Key": ADMIN_KEY}).json()["usage"]
            status = client.get("/v1/operations/status", headers={"X-API-Key": ADMIN_KEY}).json()
    assert spent == {customer: round(cost, 12) for customer, cost in costs.items()}
    assert (costs["answered"] > 0, costs["streamed"] > 0, costs["failed"], costs["unpriced"]) == (True, True, 0, 0)
    assert (usage["requests"], usage["cost_usd"], usage["cost_unknown_events"]) == (1, "0", 1)
    assert {row["end_user"]: row["status"] for row in logs["data"]} == {
        "answered": "success",
        "streamed": "success",
        "unpriced": "success",
        "failed": "failure",
    }
    assert logs["total"] == 4
    assert status["counts"] == {"counted": 4, "duplicate": 4, "conflict": 0, "rejected": 0, "withdrawn": 0}
