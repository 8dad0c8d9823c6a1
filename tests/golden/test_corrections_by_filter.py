"""A correction by filter changes every golden answer as single corrections do; reverted, it leaves all as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tests.golden.asking import answers_of
from tests.golden.conftest import Unpacked
from tests.golden.fixtures import Answer, Fixture, answers_by_moment, fixtures
from tests.golden.openings import opened, openings_of
from tests.golden.test_reverted_repricing import found, sent

#: Who and what corrected an event, and when, differs between one run and single corrections.
TOLD = ("/corrections/", "/versions/")
#: Every event of the fixtures is of this time or later.
EVERYTHING = {"from": "1970-01-01T00:00:00Z"}
#: What two runs set of all events.
FIRST = {"model": "set by a run", "customer": "moved by a run", "add_tags": ["a run"]}
SECOND = {"model": "set by another", "provider": "acme", "remove_tags": ["a run", "prod"]}


class Opened:
    """A copy of a fixture at its last moment, open for more, with the questions that it can be asked."""

    def __init__(self, app: FastAPI, fixture: Fixture) -> None:
        self._app = app
        self._keys = fixture.contents.keys
        opening = next(one for one in openings_of(fixture.contents.moments) if one.moments[0].position is None)
        recorded = answers_by_moment(fixture)[opening.moments[-1].name]
        self._asked = [one.question for one in recorded if one.answer.status == 200]

    def answers(self) -> list[Answer]:
        return answers_of(self._app, self._asked, self._keys)

    def sent(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return sent(self._app, self._keys["admin"], path, body)

    def corrected(self, name: str, **asked: Any) -> tuple[Any, Any]:
        """A run that is opened, previewed and committed: its preview and its commit."""
        self.sent("/v1/corrections", {"name": name, **asked})
        preview = self.sent(f"/v1/corrections/{name}/preview?limit=1000")
        done = self.sent(f"/v1/corrections/{name}/commit", {"previewed_at": preview["previewed_at"]})
        return preview, done["committed"]

    def identities(self, **conditions: str) -> list[dict[str, str]]:
        """The identities of all events of the tenant that are not voided."""
        found: list[dict[str, str]] = []
        cursor: str | None = ""
        query = "".join(f"&{name}={value}" for name, value in conditions.items())
        while cursor is not None:
            page = self.sent(f"/v1/events?limit=1000{query}" + (f"&cursor={cursor}" if cursor else ""))
            found += [{"source": one["source"], "id": one["id"]} for one in page["data"]]
            cursor = page["next_cursor"]
        return found


@contextmanager
def fixture_opened(fixture: Fixture, unpacked: Unpacked, folder: Path) -> Iterator[Opened]:
    opening = next(one for one in openings_of(fixture.contents.moments) if one.moments[0].position is None)
    with opened(unpacked(fixture), opening, folder, may_append=True) as (app, clock):
        clock.now = opening.moments[-1].now
        yield Opened(app, fixture)


@pytest.mark.parametrize("fixture", fixtures(), ids=lambda fixture: fixture.name)
def test_a_reverted_correction_leaves_every_golden_answer(fixture: Fixture, unpacked: Unpacked, tmp_path: Path) -> None:
    with fixture_opened(fixture, unpacked, tmp_path / "data") as of_fixture:
        before = of_fixture.answers()
        for name, action in (("voids", "void"), ("restores", "restore")):
            preview, done = of_fixture.corrected(name, action=action, **EVERYTHING)
            assert done["events"] == preview["changed_events"] > 0
            assert done["difference_usd"] == preview["difference_usd"]
        of_fixture.sent("/v1/corrections/restores/revert", {})
        assert len(_shown(found(before, of_fixture.answers()))) > 100
        of_fixture.sent("/v1/corrections/voids/revert", {})
        assert _shown(found(before, of_fixture.answers())) == []


@pytest.mark.parametrize("fixture", fixtures(), ids=lambda fixture: fixture.name)
def test_a_reverted_amendment_leaves_every_golden_answer(fixture: Fixture, unpacked: Unpacked, tmp_path: Path) -> None:
    with fixture_opened(fixture, unpacked, tmp_path / "data") as of_fixture:
        before = of_fixture.answers()
        for name, members in (("first", FIRST), ("second", SECOND)):
            preview, done = of_fixture.corrected(name, action="amend", set=members, **EVERYTHING)
            assert done["events"] == preview["changed_events"] > 0
            assert done["difference_usd"] == preview["difference_usd"]
        of_fixture.sent("/v1/corrections/first/revert", {})
        assert len(_shown(found(before, of_fixture.answers()))) > 100
        of_fixture.sent("/v1/corrections/second/revert", {})
        assert _shown(found(before, of_fixture.answers())) == []


@pytest.mark.parametrize("fixture", fixtures(), ids=lambda fixture: fixture.name)
def test_a_correction_changes_every_golden_answer_as_single_ones_do(
    fixture: Fixture, unpacked: Unpacked, tmp_path: Path
) -> None:
    asked = {"to": "2025-01-20T00:00:00Z"}
    with fixture_opened(fixture, unpacked, tmp_path / "by filter") as of_fixture:
        untouched, voided = of_fixture.answers(), of_fixture.identities(**asked)
        _, done = of_fixture.corrected("voids", action="void", **asked)
        assert done["events"] == len(voided) > 10
        by_filter = of_fixture.answers()
    with fixture_opened(fixture, unpacked, tmp_path / "singly") as of_fixture:
        for identity in voided:
            of_fixture.sent("/v1/events/void", identity)
        singly = of_fixture.answers()
    assert len(found(untouched, by_filter)) > 100
    assert _shown(found(singly, by_filter)) == []


def _shown(differences: list[Any]) -> list[Any]:
    return [one for one in differences if not one.pointer.startswith(TOLD) and one.pointer != "/corrections"]
