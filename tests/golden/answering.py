"""Differences between recorded answers and documents and those of the present code."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI

from tests.golden.asking import answers_of
from tests.golden.comparing import differences, json_differences, read
from tests.golden.declared import Found
from tests.golden.documents import contract, documents_of
from tests.golden.fixtures import Fixture, Question, answers_by_moment
from tests.golden.openings import Opening, opened

FOUND_SHOWN_MAX = 40
ADVICE = """\
A difference from the answers of an earlier commit is a mistake unless it is deliberate. A deliberate one needs an
entry in tests/golden/changes.toml, and its reason in CHANGELOG.md: see "Golden answers" in CONTRIBUTING.md."""


def differing_answers(fixture: Fixture, folder: Path, opening: Opening, scratch: Path) -> list[Found]:
    """Every difference between the recorded answers of this opening and those of the present code.

    `folder`: the fixture's data folder; it is copied to `scratch`.
    """
    found: list[Found] = []
    keys, recorded = fixture.contents.keys, answers_by_moment(fixture)
    with opened(folder, opening, scratch) as (app, clock):
        for moment in opening.moments:
            clock.now = moment.now
            asked = [_at_the_clock(fixture, one.question, clock.now) for one in recorded[moment.name]]
            answers = answers_of(app, asked, keys)
            for before, answer in zip(recorded[moment.name], answers, strict=True):
                of_one = differences(before.answer, answer)
                found += [Found(moment.name, before.question.route, before.question.target, one) for one in of_one]
    return found


def _at_the_clock(fixture: Fixture, question: Question, now: datetime) -> Question:
    """The question, asked at the time of the clock also with `as_of`, as commits did that did not know `at`."""
    if "as_of=" not in question.target or '"name":"at"' in fixture.documents["/openapi.json"]:
        return question
    return Question(question.route, f"{question.target}&at={quote(now.isoformat())}", question.key)


def differing_documents(fixture: Fixture, app: FastAPI) -> list[Found]:
    """Every difference between the recorded and the served documents, except in descriptions and summaries."""
    found: list[Found] = []
    served = documents_of(app)
    for path, document in fixture.documents.items():
        old, new = contract(read(document)), contract(read(served[path]))
        found += [Found("now", path, path, one) for one in json_differences(old, new)]
    return found


def report(found: list[Found]) -> str:
    """The message of a failed comparison: undeclared differences, at most `FOUND_SHOWN_MAX`, and what to do."""
    shown = "\n".join(map(str, found[:FOUND_SHOWN_MAX]))
    more = f"\n... and {len(found) - FOUND_SHOWN_MAX} more" if len(found) > FOUND_SHOWN_MAX else ""
    return f"{len(found)} undeclared differences\n{shown}{more}\n\n{ADVICE}"
