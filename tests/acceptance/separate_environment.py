"""Environments of their own for packages that the tests run beside the engine, each built once."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BUILD_SECONDS_MAX = 900.0
RUN_SECONDS_MAX = 180.0


@dataclass(frozen=True)
class SeparateEnvironment:
    """An environment in a folder, with the packages that a file lists."""

    folder: Path
    packages: Path

    def run(self, program: str, *arguments: str) -> str:
        """What a program of the environment prints; it has to end well."""
        return _run(str(self._binaries() / program), *arguments, seconds=RUN_SECONDS_MAX)

    def _binaries(self) -> Path:
        """The folder of its programs. Built by one test at a time, when it is not there or is for other packages."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "building.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            built = self.folder / "built.txt"
            if not built.exists() or built.read_text() != self.packages.read_text():
                self._build()
                built.write_text(self.packages.read_text())
        return self.folder / "bin"

    def _build(self) -> None:
        _run(sys.executable, "-m", "venv", str(self.folder), seconds=BUILD_SECONDS_MAX)
        pip = (str(self.folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, "--requirement", str(self.packages), seconds=BUILD_SECONDS_MAX)


def _run(*command: str, seconds: float) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    if ended.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}")
    return ended.stdout
