"""A re-pricing that is reverted leaves every golden answer as it was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.golden.asking import answers_of
from tests.golden.comparing import Difference, differences
from tests.golden.conftest import Unpacked
from tests.golden.fixtures import Answer, Fixture, answers_by_moment, fixtures
from tests.golden.openings import opened, openings_of

#: The log grew: its position, and what tells of all its records, are others.
GROWN = ("/position", "/now", "header meterfold-position", "header meterfold-now", "/next_cursor", "/previewed_at")

#: All versions of an event, those of the run and of its revert too.
HISTORY = "/versions/"


def sent(app: FastAPI, key: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    client = TestClient(app)
    headers = {"Authorization": f"Bearer {key}"}
    answer = client.get(path, headers=headers) if body is None else client.post(path, headers=headers, json=body)
    assert answer.status_code < 300, answer.text
    return answer.json()


def found(before: list[Answer], after: list[Answer]) -> list[Difference]:
    pairs = zip(before, after, strict=True)
    every = [one for old, new in pairs for one in differences(old, new)]
    return [one for one in every if not one.pointer.endswith(GROWN) and not one.pointer.startswith(HISTORY)]


@pytest.mark.parametrize("fixture", fixtures(), ids=lambda fixture: fixture.name)
def test_a_reverted_repricing_leaves_every_golden_answer(fixture: Fixture, unpacked: Unpacked, tmp_path: Path) -> None:
    opening = next(one for one in openings_of(fixture.contents.moments) if one.moments[0].position is None)
    asked = [one.question for one in answers_by_moment(fixture)[opening.moments[-1].name] if one.answer.status == 200]
    keys = fixture.contents.keys
    with opened(unpacked(fixture), opening, tmp_path / "data", may_append=True) as (app, clock):
        clock.now = opening.moments[-1].now
        price = {"unit_prices": {"input": "77", "output": "78"}}
        for model in {
            (one["provider"], one["model"]) for one in sent(app, keys["admin"], "/v1/prices?limit=1000")["data"]
        }:
            sent(app, keys["admin"], "/v1/prices", {"provider": model[0], "model": model[1], **price})
        before = answers_of(app, asked, keys)
        sent(app, keys["admin"], "/v1/repricings", {"name": "golden", "given_costs": "zeros"})
        preview = sent(app, keys["admin"], "/v1/repricings/golden/preview")
        commit = {"previewed_at": preview["previewed_at"]}
        done = sent(app, keys["admin"], "/v1/repricings/golden/commit", commit)
        assert done["committed"]["events"] == preview["changed_events"] > 0
        assert done["committed"]["difference_usd"] == preview["cost_usd"]["difference_usd"]
        assert len(found(before, answers_of(app, asked, keys))) > 100
        sent(app, keys["admin"], "/v1/repricings/golden/revert", {})
        assert found(before, answers_of(app, asked, keys)) == []
