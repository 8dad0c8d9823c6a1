"""An environment of its own for the published `respan-api` package, unmodified."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.separate_environment import SeparateEnvironment
from tests.meterfold_process import ROOT

_RESPAN = SeparateEnvironment(ROOT / ".venv-respan", Path(__file__).with_name("respan_environment.txt"))


def run_there(program: str, *arguments: str) -> str:
    """What a program of the environment prints; it has to end well."""
    return _RESPAN.run(program, *arguments)
