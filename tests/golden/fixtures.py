"""Golden fixtures: the data folder that a commit left, and its answers. They are never written again.

fixtures/<commit>/folder.tar.xz      the data folder, as that commit closed it
fixtures/<commit>/fixture.json       keys by name, moments, and the GET routes of that commit
fixtures/<commit>/answers.jsonl.xz   a line for each question at each moment, in the order in which they were asked
fixtures/<commit>/documents.json.xz  OpenAPI documents and the schema of events, by the path that they are served at
"""

from __future__ import annotations

import lzma
import tarfile
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

FIXTURES = Path(__file__).resolve().parent / "fixtures"
CHANGES = Path(__file__).resolve().parent / "changes.toml"

#: LiteLLM's clients get the status codes of its present releases, or of 1.71.
Profile = Literal["current", "seed"]


class Moment(msgspec.Struct, frozen=True):
    """When questions are asked: the log position that is known, and the time on the clock.

    `position` None: the data folder as it was left, with its read store opened instead of folded again.
    """

    name: str
    position: int | None
    now: datetime
    profile: Profile = "current"


class Question(msgspec.Struct, frozen=True):
    """A GET request. `key` names one of the fixture's keys; None sends none."""

    route: str
    target: str
    key: str | None = "admin"


class Answer(msgspec.Struct, frozen=True):
    """The answer to a question. `headers` are the significant ones."""

    status: int
    headers: dict[str, str]
    body: str


class Recorded(msgspec.Struct, frozen=True):
    """A question at a moment, with its recorded answer."""

    moment: str
    question: Question
    answer: Answer


class Contents(msgspec.Struct, frozen=True):
    """The content of fixture.json."""

    head: int
    keys: dict[str, str]
    moments: list[Moment]
    routes: list[str]


class Fixture:
    """One folder below `FIXTURES`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = root.name

    @property
    def archive(self) -> Path:
        return self.root / "folder.tar.xz"

    @property
    def contents(self) -> Contents:
        return msgspec.json.decode((self.root / "fixture.json").read_bytes(), type=Contents)

    @property
    def documents(self) -> dict[str, str]:
        with lzma.open(self.root / "documents.json.xz") as file:
            return msgspec.json.decode(file.read(), type=dict[str, str])

    def answers(self) -> list[Recorded]:
        with lzma.open(self.root / "answers.jsonl.xz") as file:
            return msgspec.json.Decoder(Recorded).decode_lines(file.read())

    def unpack(self, folder: Path) -> None:
        """Put a copy of the data folder into `folder`."""
        with tarfile.open(self.archive) as archive:
            archive.extractall(folder, filter="data")

    def write(self, contents: Contents, answers: Iterable[Recorded], documents: dict[str, str]) -> None:
        """Write what was recorded. Only `make_fixture` calls this."""
        written = msgspec.json.format(msgspec.json.encode(contents), indent=1)
        (self.root / "fixture.json").write_bytes(written + b"\n")
        self._write_packed("answers.jsonl.xz", msgspec.json.Encoder().encode_lines(answers))
        self._write_packed("documents.json.xz", msgspec.json.encode(documents))

    def _write_packed(self, name: str, content: bytes) -> None:
        (self.root / name).write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))


@cache
def fixtures() -> list[Fixture]:
    """All fixtures, by name."""
    return [Fixture(root) for root in sorted(FIXTURES.iterdir()) if root.is_dir()]


@cache
def answers_by_moment(fixture: Fixture) -> dict[str, list[Recorded]]:
    """The answers of a fixture by moment, in the order in which they were asked."""
    found: dict[str, list[Recorded]] = {}
    for one in fixture.answers():
        found.setdefault(one.moment, []).append(one)
    return found
