"""Differences that are meant, as changes.toml declares them. Everything else that differs is a mistake."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.golden.comparing import ABSENT, Difference

#: Stands for any value in `old` and `new`.
ANY = "any"


class Found(NamedTuple):
    """A difference, and the question (or document) whose answer it is in."""

    moment: str
    route: str
    target: str
    difference: Difference

    def __str__(self) -> str:
        return f"{self.moment}: GET {self.target}  [{self.route}]\n    {self.difference}"


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value that is another one now. `old` and `new`: JSON text, or `absent`, or `any`."""

    route: str
    pointer: str
    old: str
    new: str
    reason: str
    target: str = ".*"
    moments: tuple[str, ...] = ()

    def covers(self, found: Found) -> bool:
        """Whether it declares this difference; `*` in the pointer stands for one member or item."""
        return (
            found.route == self.route
            and (not self.moments or found.moment in self.moments)
            and re.fullmatch(self.target, found.target) is not None
            and _matches(self.pointer, found.difference.pointer)
            and self.old in (ANY, found.difference.old)
            and self.new in (ANY, found.difference.new)
        )


class Addition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Members of a route's answers (or of a document) that there were not; they are left out of the comparison."""

    route: str
    members: tuple[str, ...]
    reason: str

    def covers(self, found: Found) -> bool:
        """Whether the difference is one of these members. One that was recorded before is none."""
        added = found.difference.old == ABSENT and found.route == self.route
        return added and any(_matches(one, found.difference.pointer) for one in self.members)


Declared = Change | Addition


class Declarations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is declared."""

    change: tuple[Change, ...] = ()
    added: tuple[Addition, ...] = ()

    @property
    def entries(self) -> tuple[Declared, ...]:
        return (*self.change, *self.added)

    def judge(self, found: Iterable[Found]) -> Outcome:
        """Which differences are meant."""
        undeclared, used = [], set()
        for one in found:
            entry = next((entry for entry in self.entries if entry.covers(one)), None)
            if entry is None:
                undeclared.append(one)
            else:
                used.add(entry)
        return Outcome(undeclared, used)


class Outcome(NamedTuple):
    """Differences that nothing declares, and the entries that declare one."""

    undeclared: list[Found]
    used: set[Declared]


def declarations_in(text: str) -> Declarations:
    """What a file in the form of changes.toml declares."""
    return msgspec.convert(tomllib.loads(text), Declarations)


@cache
def declarations_of(path: Path) -> Declarations:
    return declarations_in(path.read_text())


def _matches(pattern: str, pointer: str) -> bool:
    wanted, parts = pattern.split("/"), pointer.split("/")
    return len(wanted) == len(parts) and all(one in ("*", part) for one, part in zip(wanted, parts, strict=True))


def missing_in_changelog(declarations: Declarations, changelog: str) -> list[str]:
    """Reasons of changes that stand below no heading "Changes to numbers" of the changelog."""
    sections = re.findall(r"^#+ Changes to numbers$(.*?)(?=^#|\Z)", changelog, re.MULTILINE | re.DOTALL)
    told = _one_line("\n".join(sections))
    return [one.reason for one in declarations.change if _one_line(one.reason) not in told]


def _one_line(text: str) -> str:
    return " ".join(text.split())
