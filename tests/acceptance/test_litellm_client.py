"""A client that a generator makes of the dialect's OpenAPI document goes the whole way of a customer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.litellm_environment import run_there
from tests.meterfold_process import ADMIN_KEY, serving

WALK = Path(__file__).with_name("litellm_walk.py")


@pytest.mark.slow
def test_a_generated_client_goes_from_creation_to_deletion(tmp_path: Path) -> None:
    with serving(tmp_path / "data", tmp_path / "output") as server:
        document = tmp_path / "openapi.json"
        document.write_bytes(httpx.get(f"{server.url}/litellm/openapi.json").content)
        generated = ("--output-path", str(tmp_path / "generated"), "--meta", "none")
        run_there("openapi-python-client", "generate", "--path", str(document), *generated)
        answers = json.loads(run_there("python", str(WALK), str(tmp_path), server.url, ADMIN_KEY))

    def parsed(step: str) -> Any:
        return answers[step]["parsed"]

    assert {step: one["status"] for step, one in answers.items()} == dict.fromkeys(answers, 200)
    assert (parsed("new")["alias"], parsed("info") == parsed("new")) == ("Walker Ltd", True)
    assert parsed("spent")["spend"] == 1.25
    assert parsed("usage")["results"][0]["metrics"]["spend"] == 0.25
    assert parsed("update")["litellm_budget_table"]["max_budget"] == 9.0
    assert [one["blocked"] for one in parsed("block")["blocked_users"]] == [True]
    assert parsed("unblock") == {"blocked_users": []}
    assert [(one["user_id"], one["blocked"]) for one in parsed("list")] == [("walker", False)]
    assert parsed("delete")["deleted_customers"] == 1
