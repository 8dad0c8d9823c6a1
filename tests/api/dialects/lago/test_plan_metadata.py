"""Metadata of a plan: replaced, merged, deleted."""

from __future__ import annotations

from typing import Any

from tests.api.dialects.lago.conftest import BASE, refusal_of
from tests.api.dialects.lago.test_plans import created
from tests.engine_fixtures import Api


def test_metadata_is_replaced_merged_and_deleted(api: Api) -> None:
    created(api, "told", metadata={"old": "1"})
    path = f"{BASE}/plans/told/metadata"

    def changed(method: str, rest: str = "", **metadata: str) -> Any:
        return api.send(method, path + rest, 200, json={"metadata": metadata} if metadata else None).json()

    assert changed("POST", a="1", b="2") == {"metadata": {"a": "1", "b": "2"}}
    assert changed("PATCH", b="3", c="4") == {"metadata": {"a": "1", "b": "3", "c": "4"}}
    assert changed("DELETE", "/b") == changed("DELETE", "/b") == {"metadata": {"a": "1", "c": "4"}}
    assert api.get(f"{BASE}/plans/told")["plan"]["metadata"] == {"a": "1", "c": "4"}
    assert changed("DELETE") == {"metadata": None}
    missing = 404, {"status": 404, "error": "Not Found", "code": "plan_not_found"}
    assert refusal_of(api, "DELETE", "/plans/none/metadata") == missing
