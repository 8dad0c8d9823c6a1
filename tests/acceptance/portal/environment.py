"""An environment of its own for what drives a browser, and the browser, which the machine has to have."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from deploy.preflight import browser_problem, browser_program
from tests.acceptance.separate_environment import SeparateEnvironment
from tests.meterfold_process import ROOT

FOLDER: Final = Path(__file__).parent
_DRIVER: Final = SeparateEnvironment(ROOT / ".venv-portal", FOLDER / "environment.txt")


def browser() -> str:
    """The program of the browser; a machine without any is told how to install it."""
    program = browser_program()
    if program is None:
        raise AssertionError(browser_problem(None))
    return program


def run_there(program: str, *arguments: str) -> str:
    """What a program of the environment prints; it has to end well."""
    return _DRIVER.run(program, *arguments)
