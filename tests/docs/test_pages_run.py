"""Every command shown in README and docs works, in its order, in a fresh folder, and prints what its page says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.page_blocks import Step, missing_line, steps_of
from tests.meterfold_process import ROOT, command_line, environment

COMMAND_SECONDS_MAX = 120
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
    if steps_of(path.read_text())
)
PRINTED_ADDRESS = "http://127.0.0.1:8080"


class Reader:
    """Someone who follows a page in a folder of their own, in one shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = PRINTED_ADDRESS
        (folder / "docs").symlink_to(ROOT / "docs")
        self._commands = folder / "bin"
        self._commands.mkdir()
        command = self._commands / "meterfold"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from api.cli.main import main; main()" "$@"\n')
        command.chmod(0o755)
        self._variables = folder / "variables.sh"
        self._variables.write_text("")

    def environment(self) -> dict[str, str]:
        plain = {name: value for name, value in environment().items() if not name.startswith("METERFOLD_")}
        return {**plain, "PATH": f"{self._commands}{os.pathsep}{plain['PATH']}", "TERM": "dumb"}

    def follow(self, step: Step) -> None:
        command = step.command.replace(PRINTED_ADDRESS, self.address)
        script = f". {self._variables}\n{command}\nexport -p > {self._variables}\n"
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        told = f"line {step.line}: {command}\n{ended.stdout}\n{ended.stderr}"
        assert ended.returncode == 0, told
        missing = missing_line(step.expected, ended.stdout)
        assert missing is None, f"does not print {missing!r}; {told}"

    @contextmanager
    def served(self) -> Iterator[None]:
        """A real engine on ./data, on a free port."""
        engine = subprocess.Popen(
            command_line("serve", "--data", "data", "--port", "0", "--json"),
            cwd=self.folder,
            env={**self.environment(), "METERFOLD_LOG_LEVEL": "error"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert engine.stdout is not None
        try:
            self.address = json.loads(engine.stdout.readline())["url"]
            yield
        finally:
            engine.send_signal(signal.SIGTERM)
            engine.communicate(timeout=60)
        assert engine.returncode == 0


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_work(page: str, tmp_path: Path) -> None:
    assert shutil.which("curl"), "the pages use curl"
    steps = steps_of((ROOT / page).read_text())
    reader = Reader(tmp_path)
    alone = [step for step in steps if not step.serving]
    for step in alone:
        reader.follow(step)
    if len(alone) < len(steps):
        with reader.served():
            for step in steps[len(alone) :]:
                reader.follow(step)
