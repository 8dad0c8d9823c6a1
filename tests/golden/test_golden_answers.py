"""The present code answers as earlier commits did, on the data folders that they left, except declared differences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.golden.answering import differing_answers, differing_documents, report
from tests.golden.asking import answers_of, get_routes
from tests.golden.comparing import ERROR_STATUS_MIN, error_meaning
from tests.golden.conftest import Unpacked
from tests.golden.declared import Found, declarations_of, missing_in_changelog
from tests.golden.fixtures import CHANGES, Fixture, Question, fixtures
from tests.golden.openings import Opening, opened, openings_of
from tests.meterfold_process import ROOT

DECLARED = declarations_of(CHANGES)
#: Routes whose answers are not compared, and why.
NOT_ASKED = {
    "/openapi.json": "a document, compared without its texts",
    "/litellm/openapi.json": "a document, compared without its texts",
    "/schemas/usage-event.json": "a document, compared without its texts",
    "/metrics": "timings and sizes",
    "/v1/operations/status": "sizes of files, and the system's clock",
    "/readyz": "how the fold stands in this run",
    "/healthz": "health",
    "/docs": "a page for people, of a library",
    "/docs/{name}": "files of a library",
    "/problems": "a page for people; it grows with every kind of problem",
    "/problems/{code}": "pages for people",
}
OPENINGS = [(fixture, opening) for fixture in fixtures() for opening in openings_of(fixture.contents.moments)]
DifferencesOf = Callable[[Fixture, Opening], list[Found]]


def _named(value: object) -> str | None:
    return value.name if isinstance(value, Fixture | Opening) else None


@pytest.fixture(scope="session")
def differences_of(unpacked: Unpacked, tmp_path_factory: pytest.TempPathFactory) -> DifferencesOf:
    """The differences of an opening, computed once."""
    known: dict[tuple[str, str], list[Found]] = {}

    def find(fixture: Fixture, opening: Opening) -> list[Found]:
        name = (fixture.name, opening.name)
        if name not in known:
            scratch = tmp_path_factory.mktemp("opened") / "data"
            known[name] = differing_answers(fixture, unpacked(fixture), opening, scratch)
        return known[name]

    return find


@pytest.mark.parametrize(("fixture", "opening"), OPENINGS, ids=_named)
def test_answers_are_those_recorded(fixture: Fixture, opening: Opening, differences_of: DifferencesOf) -> None:
    found = DECLARED.judge(differences_of(fixture, opening)).undeclared
    assert not found, report(found)


@pytest.mark.parametrize("fixture", fixtures(), ids=_named)
def test_routes_and_documents_keep_their_contract(fixture: Fixture, unpacked: Unpacked, tmp_path: Path) -> None:
    last = openings_of(fixture.contents.moments)[-1]
    with opened(unpacked(fixture), last, tmp_path / "data") as (app, _):
        gone = set(fixture.contents.routes) - set(get_routes(app))
        pages = [Question(code, code, None) for code in sorted(_problems_of(fixture))]
        statuses = {page.target: one.status for page, one in zip(pages, answers_of(app, pages, {}), strict=True)}
        found = DECLARED.judge(differing_documents(fixture, app)).undeclared
    assert not gone
    assert set(statuses.values()) == {200}, statuses
    assert not found, report(found)


def _problems_of(fixture: Fixture) -> set[str]:
    """The types of the recorded problems; each is the path of a page."""
    codes = {error_meaning(one.answer).code for one in fixture.answers() if one.answer.status >= ERROR_STATUS_MIN}
    return {code for code in codes if code.startswith("/problems/")}


@pytest.mark.parametrize("fixture", fixtures(), ids=_named)
def test_every_recorded_route_is_asked(fixture: Fixture) -> None:
    asked = {one.question.route for one in fixture.answers()}
    assert set(fixture.contents.routes) - asked <= set(NOT_ASKED)


def test_every_declaration_is_used(differences_of: DifferencesOf, unpacked: Unpacked, tmp_path: Path) -> None:
    left = set(DECLARED.entries)
    for fixture in fixtures() if left else []:
        last = openings_of(fixture.contents.moments)[-1]
        with opened(unpacked(fixture), last, tmp_path / fixture.name) as (app, _):
            left -= DECLARED.judge(differing_documents(fixture, app)).used
    for fixture, opening in OPENINGS:
        if not left:
            break
        left -= DECLARED.judge(differences_of(fixture, opening)).used
    assert not left, "these entries declare no difference: remove them from changes.toml"


def test_every_deliberate_change_of_a_value_is_in_the_changelog() -> None:
    assert missing_in_changelog(DECLARED, (ROOT / "CHANGELOG.md").read_text()) == []
