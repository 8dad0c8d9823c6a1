"""Commands run in this process, with the exit code and output that a shell would see."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NamedTuple

from api.cli.main import main


class Ended(NamedTuple):
    """Exit code, output and error output of a command."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.code == 0, self
        return json.loads(self.out)


def run(*arguments: str) -> Ended:
    """Run `meterfold` with these arguments."""
    out, err = io.StringIO(), io.StringIO()
    code: object = None
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code
    return Ended(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


class Shell:
    """Runs commands against one engine, or one data folder."""

    def __init__(self, *target: str) -> None:
        self.target = target

    def run(self, *arguments: str) -> Ended:
        return run(*arguments, *self.target)

    def json(self, *arguments: str) -> Any:
        return self.run(*arguments, "--json").json()
