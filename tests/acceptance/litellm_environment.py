"""An environment of its own for the real `litellm` package and a generator of clients."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.separate_environment import SeparateEnvironment
from tests.meterfold_process import ROOT

_LITELLM = SeparateEnvironment(ROOT / ".venv-litellm", Path(__file__).with_name("litellm_environment.txt"))


def run_there(program: str, *arguments: str) -> str:
    """What a program of the environment prints; it has to end well."""
    return _LITELLM.run(program, *arguments)
