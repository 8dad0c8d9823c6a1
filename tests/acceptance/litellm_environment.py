"""An environment of its own for the real `litellm` package and a generator of clients, built once."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

from tests.meterfold_process import ROOT

FOLDER = ROOT / ".venv-litellm"
PACKAGES = Path(__file__).with_name("litellm_environment.txt")
BUILD_SECONDS_MAX = 900.0
RUN_SECONDS_MAX = 180.0


def environment_binaries() -> Path:
    """The folder of its programs. Built by one test at a time, when it is not there or is for other packages."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "building.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = FOLDER / "built.txt"
        if not built.exists() or built.read_text() != PACKAGES.read_text():
            _build()
            built.write_text(PACKAGES.read_text())
    return FOLDER / "bin"


def _build() -> None:
    _run(sys.executable, "-m", "venv", str(FOLDER), seconds=BUILD_SECONDS_MAX)
    pip = (str(FOLDER / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, "--requirement", str(PACKAGES), seconds=BUILD_SECONDS_MAX)


def run_there(program: str, *arguments: str) -> str:
    """What a program of the environment prints; it has to end well."""
    return _run(str(environment_binaries() / program), *arguments, seconds=RUN_SECONDS_MAX)


def _run(*command: str, seconds: float) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    if ended.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}")
    return ended.stdout
