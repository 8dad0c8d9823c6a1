"""The commands of a page of documentation, and what its author says they print.

Blocks marked `sh` are run as they are; in blocks marked `console`, lines that begin with `$ ` are run and the lines
below are what has to appear in their output, in order, where `...` stands for anything. Comments steer:
`<!-- serving -->` starts an engine on ./data for the rest of the page, `<!-- not run: reason -->` leaves the next
block out. Of the next block alone, `<!-- stays running -->` says that its command runs to the end of the page, and
`<!-- in a moment -->` that its commands are repeated until they print what is expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_FENCE = re.compile(r"^```(\w*)$")
_SERVING = re.compile(r"^<!-- serving -->$")
_MANNER = re.compile(r"^<!-- (stays running|in a moment) -->$")
_NOT_RUN = re.compile(r"^<!-- not run: \S.* -->$")
RUN_LANGUAGES = ("sh", "console")
OTHER_LANGUAGES = ("text", "json", "yaml", "python", "http")


class Step(NamedTuple):
    """A command, the lines that have to appear in what it prints, and whether an engine runs by then.

    `manner`: `once`, `stays running` or `in a moment`.
    """

    command: str
    expected: tuple[str, ...]
    serving: bool
    line: int
    manner: str = "once"


def steps_of(page: str) -> list[Step]:
    """What is to be run of a page, in its order."""
    return list(_steps(page.splitlines()))


def _steps(lines: list[str]) -> Iterator[Step]:
    serving = skip = False
    manner = "once"
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        fence = _FENCE.match(line)
        if fence is None:
            serving = serving or _SERVING.match(line) is not None
            skip = skip or _NOT_RUN.match(line) is not None
            steered = _MANNER.match(line)
            manner = manner if steered is None else steered[1]
            continue
        begin = number
        while lines[number] != "```":
            number += 1
        block = lines[begin:number]
        number += 1
        if fence[1] not in (*RUN_LANGUAGES, *OTHER_LANGUAGES):
            raise ValueError(f"line {begin}: a block of what? {fence[1]!r} is neither run nor known")
        if not skip and fence[1] == "sh":
            yield Step("\n".join(block), (), serving, begin + 1, manner)
        elif not skip and fence[1] == "console":
            yield from (step._replace(manner=manner) for step in _console_steps(block, serving, begin + 1))
        if fence[1] in RUN_LANGUAGES:
            skip, manner = False, "once"


def _console_steps(block: list[str], serving: bool, line: int) -> Iterator[Step]:
    starts = [number for number, text in enumerate(block) if text.startswith("$ ")]
    if not starts or starts[0] != 0:
        raise ValueError(f"line {line}: a console block begins with a command: '$ ...'")
    for start, end in zip(starts, [*starts[1:], len(block)], strict=True):
        yield Step(block[start][2:], tuple(block[start + 1 : end]), serving, line + start)


def missing_line(expected: tuple[str, ...], printed: str) -> str | None:
    """The first expected line that does not appear, in order, in what was printed; None when all do."""
    left = iter(printed.splitlines())
    for line in expected:
        if line.strip() == "...":
            continue
        pattern = re.compile(".*".join(re.escape(part.strip()) for part in line.split("...")))
        if not any(pattern.search(found) if line.startswith("...") else pattern.match(found.strip()) for found in left):
            return line
    return None
