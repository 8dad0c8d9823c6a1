"""The reason for a change: where it is given, and what is kept of it."""

from __future__ import annotations

from typing import Final

import pytest

from tests.engine_fixtures import Api, JsonObject

BACKFILL: Final[JsonObject] = {"name": "b", "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}


def kept(api: Api, customer: str, reason: bytes) -> str | None:
    api.send("POST", "/v1/customers", 201, {"X-Meterfold-Reason": reason}, json={"id": customer})
    found: str | None = api.pages(f"/v1/customers/{customer}/history")[-1]["reason"]
    return found


def test_a_reason_is_kept_without_blanks_around_it(api: Api) -> None:
    assert kept(api, "blanks-around", b"  said twice ") == "said twice"
    assert kept(api, "blanks", b"  ") is None
    assert kept(api, "blanks-of-unicode", "\u00a0\u3000".encode()) is None


def test_a_reason_in_a_body_is_kept_alike(api: Api) -> None:
    told = [
        api.post("/v1/events/void", {"source": "reasons", "id": event_id, "reason": given}, 200)["corrections"]
        for event_id, given in (("1", " said twice "), ("2", "  "), ("3", ""))
    ]
    assert [one["reason"] for [one] in told] == ["said twice", None, None]


def test_the_length_of_a_reason_is_that_of_its_text(api: Api) -> None:
    assert kept(api, "longest", ("更" * 1000).encode()) == "更" * 1000
    told = api.send("POST", "/v1/customers", 422, {"X-Meterfold-Reason": b"x" * 1001}, json={"id": "longer"}).json()
    assert (told["field"], told["rule"]) == ("X-Meterfold-Reason", "must have at most 1000 characters")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/backfills"),
        ("POST", "/v1/backfills/b/revert"),
        ("POST", "/v1/backfills/b/cancel"),
        ("POST", "/v1/corrections/b/revert"),
        ("POST", "/v1/repricings/b/revert"),
        ("DELETE", "/v1/customers/nobody"),
    ],
)
def test_a_reason_in_the_query_is_refused_and_not_lost(api: Api, method: str, path: str) -> None:
    body = {"json": BACKFILL} if path == "/v1/backfills" else {}
    told = api.send(method, f"{path}?reason=wrong", 422, **body).json()
    assert told["detail"] == "reason belongs into the header X-Meterfold-Reason, not into the query"
