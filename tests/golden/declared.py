"""Deliberate differences, declared in changes.toml. Every other difference is a mistake."""

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
    """A difference, with the question (or document) in whose answer it was found."""

    moment: str
    route: str
    target: str
    difference: Difference

    def __str__(self) -> str:
        return f"{self.moment}: GET {self.target}  [{self.route}]\n    {self.difference}"


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A declared change of a value. `old` and `new`: JSON text, or `absent`, or `any`."""

    route: str
    pointer: str
    old: str
    new: str
    reason: str
    target: str = ".*"
    moments: tuple[str, ...] = ()

    def covers(self, found: Found) -> bool:
        """Whether this entry declares the difference; `*` in the pointer stands for one member or item."""
        return (
            found.route == self.route
            and (not self.moments or found.moment in self.moments)
            and re.fullmatch(self.target, found.target) is not None
            and _matches(self.pointer, found.difference.pointer)
            and self.old in (ANY, found.difference.old)
            and self.new in (ANY, found.difference.new)
        )


class Addition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Members that a route's answers (or a document) gained; they are left out of the comparison."""

    route: str
    members: tuple[str, ...]
    reason: str

    def covers(self, found: Found) -> bool:
        """Whether the difference is one of these members, absent from what was recorded."""
        added = found.difference.old == ABSENT and found.route == self.route
        return added and any(_matches(one, found.difference.pointer) for one in self.members)


Declared = Change | Addition


class Declarations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All entries of changes.toml."""

    change: tuple[Change, ...] = ()
    added: tuple[Addition, ...] = ()

    @property
    def entries(self) -> tuple[Declared, ...]:
        return (*self.change, *self.added)

    def judge(self, found: Iterable[Found]) -> Outcome:
        """Separate the undeclared differences from the declared, and return which entries were used."""
        undeclared, used = [], set()
        for one in found:
            entry = next((entry for entry in self.entries if entry.covers(one)), None)
            if entry is None:
                undeclared.append(one)
            else:
                used.add(entry)
        return Outcome(undeclared, used)


class Outcome(NamedTuple):
    """Undeclared differences, and the entries that declare at least one difference."""

    undeclared: list[Found]
    used: set[Declared]


def declarations_in(text: str) -> Declarations:
    """Parse a text in the form of changes.toml."""
    return msgspec.convert(tomllib.loads(text), Declarations)


@cache
def declarations_of(path: Path) -> Declarations:
    return declarations_in(path.read_text())


def _matches(pattern: str, pointer: str) -> bool:
    wanted, parts = pattern.split("/"), pointer.split("/")
    return len(wanted) == len(parts) and all(one in ("*", part) for one, part in zip(wanted, parts, strict=True))


def missing_in_changelog(declarations: Declarations, changelog: str) -> list[str]:
    """Reasons of changes that the changelog does not have below a heading "Changes to numbers"."""
    sections = re.findall(r"^#+ Changes to numbers$(.*?)(?=^#|\Z)", changelog, re.MULTILINE | re.DOTALL)
    published = _one_line("\n".join(sections))
    return [one.reason for one in declarations.change if _one_line(one.reason) not in published]


def _one_line(text: str) -> str:
    return " ".join(text.split())
