"""Make a fixture of the present code: play the history, keep the data folder, and record the answers.

    python -m tests.golden.make_fixture NAME

Run by hand, once for a release; NAME is its commit or version. It starts a real broker. A fixture is never recorded
again.
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fastapi import FastAPI

from tests.consumers.kafka.broker.running_broker import running_broker
from tests.golden.asking import answers_of, get_routes
from tests.golden.documents import documents_of
from tests.golden.fixtures import FIXTURES, Contents, Fixture, Moment, Question, Recorded
from tests.golden.history import BEGINS, play
from tests.golden.openings import head_of, opened, openings_of
from tests.golden.questions import questions_at
from tests.golden.stage import Stage, stage

#: Files that belong to one run of an engine and are left out of the archive.
LEFT_OUT = re.compile(r".*(engine\.lock|engine\.json|fold-position|-wal|-shm|/consumers(/.*)?)")


def make(name: str) -> None:
    """Make the fixture of this name; it must not exist yet."""
    fixture = Fixture(FIXTURES / name)
    fixture.root.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "data")
        played = _played(folder, Path(scratch, "broker"))
        _pack(folder, fixture.archive)
        record(fixture, played.keys, played.moments, Path(scratch))


def _played(folder: Path, broker_folder: Path) -> Stage:
    broker_folder.mkdir()
    with running_broker(broker_folder) as broker, stage(folder, broker, BEGINS) as found:
        play(found)
    return found


def _pack(folder: Path, archive: Path) -> None:
    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        return None if LEFT_OUT.fullmatch(member.name) else member

    with tarfile.open(archive, "w:xz", preset=9) as packed:
        packed.add(folder, ".", filter=kept)


def record(fixture: Fixture, keys: dict[str, str], moments: list[Moment], scratch: Path) -> None:
    """Ask all questions of the packed folder and write the answers."""
    folder = scratch / "unpacked"
    fixture.unpack(folder)
    asked = [*moments, *_whole_folder_moments(moments)]
    numbers = {moment.name: number for number, moment in enumerate(asked)}
    routes: list[str] = []
    documents: dict[str, str] = {}
    answers: list[Recorded] = []
    for opening in openings_of(asked):
        with opened(folder, opening, scratch / "copy") as (app, clock):
            routes, documents = get_routes(app), documents_of(app)
            for moment in opening.moments:
                clock.now = moment.now
                questions = questions_at(numbers[moment.name], moment, moments)
                answers += _recorded(app, moment, questions, keys)
    fixture.write(Contents(head_of(folder), keys, asked, routes), answers, documents)


def _recorded(app: FastAPI, moment: Moment, questions: list[Question], keys: dict[str, str]) -> Iterator[Recorded]:
    """Recorded answers, followed by those to the second pages of lists."""
    first = answers_of(app, questions, keys)
    behind: list[Question] = []
    for question, answer in zip(questions, first, strict=True):
        yield Recorded(moment.name, question, answer)
        cursor = json.loads(answer.body).get("next_cursor") if '"next_cursor":"' in answer.body else None
        if cursor is not None:
            behind.append(Question(question.route, f"{question.target}&cursor={cursor}", question.key))
    for question, answer in zip(behind, answers_of(app, behind, keys), strict=True):
        yield Recorded(moment.name, question, answer)


def _whole_folder_moments(moments: list[Moment]) -> list[Moment]:
    """Moments of the folder as it was left: at the last instant of the history, after it, and twice during it."""
    last = [one for one in moments if one.name.startswith("the end")]
    some = [last[0], last[2], moments[len(moments) // 3], moments[2 * len(moments) // 3]]
    return [Moment(f"whole, {one.now:%Y-%m-%dT%H:%M:%S}", None, one.now) for one in some]


if __name__ == "__main__":
    make(sys.argv[1])
