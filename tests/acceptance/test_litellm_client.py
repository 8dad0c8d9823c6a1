"""Clients generated from OpenAPI documents take a customer from creation to deletion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.litellm_document import key_header, published_document
from tests.acceptance.litellm_environment import run_there
from tests.meterfold_process import ADMIN_KEY, Server, serving

WALK = Path(__file__).with_name("litellm_walk.py")


def test_a_client_generated_of_litellm_s_own_document_goes_from_creation_to_deletion(tmp_path: Path) -> None:
    with serving(tmp_path / "data", tmp_path / "output") as server:
        walk(server, json.dumps(published_document()), tmp_path)


def test_a_client_generated_of_the_document_here_goes_the_same_way(tmp_path: Path) -> None:
    with serving(tmp_path / "data", tmp_path / "output") as server:
        walk(server, httpx.get(f"{server.url}/litellm/openapi.json").text, tmp_path)


def walk(server: Server, document: str, folder: Path) -> None:
    """Generate a client, run it, and check the answer of each of its steps."""
    path = folder / "openapi.json"
    path.write_text(document)
    generated = ("--output-path", str(folder / "generated"), "--meta", "none")
    run_there("openapi-python-client", "generate", "--path", str(path), *generated)
    answers = json.loads(run_there("python", str(WALK), str(folder), server.url, ADMIN_KEY, key_header()))

    def parsed(step: str) -> Any:
        return answers[step]["parsed"]

    assert {step: one["status"] for step, one in answers.items()} == dict.fromkeys(answers, 200)
    assert list(answers) == ["new", "info", "spent", "usage", "update", "block", "unblock", "list", "delete"]
    assert (parsed("new")["alias"], parsed("info") == parsed("new")) == ("Walker Ltd", True)
    assert parsed("spent")["spend"] == 1.25
    assert parsed("usage")["results"][0]["metrics"]["spend"] == 0.25
    assert parsed("update")["litellm_budget_table"]["max_budget"] == 9.0
    assert [one["blocked"] for one in parsed("block")["blocked_users"]] == [True]
    assert parsed("unblock") == {"blocked_users": []}
    assert [(one["user_id"], one["blocked"]) for one in parsed("list")] == [("walker", False)]
    assert parsed("delete")["deleted_customers"] == 1
