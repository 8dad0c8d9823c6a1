"""An environment of its own for Lago's published client, unmodified, and a generator of clients, which needs Java."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.acceptance.separate_environment import SeparateEnvironment
from tests.meterfold_process import ROOT

FOLDER: Final = Path(__file__).parent
_LAGO: Final = SeparateEnvironment(ROOT / ".venv-lago", FOLDER / "environment.txt")


def run_there(program: str, *arguments: str) -> str:
    """What a program of the environment prints; it has to end well."""
    return _LAGO.run(program, *arguments)
