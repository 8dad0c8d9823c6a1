"""What today's code answers otherwise than a fixture recorded, of an opening and of the documents."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from tests.golden.asking import answers_of
from tests.golden.comparing import differences, json_differences, read
from tests.golden.declared import Found
from tests.golden.documents import contract, documents_of
from tests.golden.fixtures import Fixture, answers_by_moment
from tests.golden.openings import Opening, opened

FOUND_SHOWN_MAX = 40
ADVICE = """\
Whatever differs from the answers of an earlier commit is a mistake, unless it is meant. A deliberate difference needs
an entry in tests/golden/changes.toml, and its reason in CHANGELOG.md: see "Golden answers" in CONTRIBUTING.md."""


def answered_otherwise(fixture: Fixture, folder: Path, opening: Opening, scratch: Path) -> list[Found]:
    """Every difference between what was recorded of this opening and what is answered now.

    `folder`: the fixture's data folder; it is copied to `scratch`.
    """
    found: list[Found] = []
    keys, recorded = fixture.contents.keys, answers_by_moment(fixture)
    with opened(folder, opening, scratch) as (app, clock):
        for moment in opening.moments:
            clock.now = moment.now
            asked = [one.question for one in recorded[moment.name]]
            answers = answers_of(app, asked, keys)
            for before, answer in zip(recorded[moment.name], answers, strict=True):
                of_one = differences(before.answer, answer)
                found += [Found(moment.name, before.question.route, before.question.target, one) for one in of_one]
    return found


def documents_otherwise(fixture: Fixture, app: FastAPI) -> list[Found]:
    """Every difference between a document as it was recorded and as it is served, texts apart."""
    found: list[Found] = []
    served = documents_of(app)
    for path, document in fixture.documents.items():
        old, new = contract(read(document)), contract(read(served[path]))
        found += [Found("now", path, path, one) for one in json_differences(old, new)]
    return found


def told(found: list[Found]) -> str:
    """The message of a failure."""
    shown = "\n".join(map(str, found[:FOUND_SHOWN_MAX]))
    more = f"\n... and {len(found) - FOUND_SHOWN_MAX} more" if len(found) > FOUND_SHOWN_MAX else ""
    return f"{len(found)} differences that nothing declares\n{shown}{more}\n\n{ADVICE}"
