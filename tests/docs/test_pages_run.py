"""Every command shown in README and docs works, in its order, in a fresh folder, and prints what its page says."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.docs.page_blocks import Step, missing_line, steps_of
from tests.fakes.stripe_server import SECRET_KEY, stripe_server
from tests.meterfold_process import ROOT, command_line, environment, free_port

COMMAND_SECONDS_MAX = 120
MOMENT_SECONDS_MAX = 30
READY_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60
PRINTED_ADDRESS = "http://127.0.0.1:8080"
PRINTED_BROKER = "127.0.0.1:9092"
PRINTED_STRIPE_KEY = "sk_test_YourSecretKey"
MAKE_KAFKA = "make kafka"
#: What a command that stays running prints when others can rely on it.
READY = re.compile(rb"Ctrl\+C stops it|partition_started")


def pages() -> Iterator[object]:
    """Every page with commands to run; those that start a broker are marked."""
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))):
        steps = steps_of(path.read_text())
        if steps:
            marks = [pytest.mark.kafka] if any(step.command == MAKE_KAFKA for step in steps) else []
            yield pytest.param(str(path.relative_to(ROOT)), marks=marks)


class Reader:
    """Someone who follows a page in a folder of their own, in one shell, with what stays running in others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = PRINTED_ADDRESS
        self._broker_port = free_port()
        (folder / "docs").symlink_to(ROOT / "docs")
        self._commands = folder / "bin"
        self._commands.mkdir()
        self._write_command("meterfold", f'{sys.executable} -c "from api.cli.main import main; main()"')
        self._write_command("python3", sys.executable)
        self._variables = folder / "variables.sh"
        self._variables.write_text("")

    def use_stripe_at(self, url: str) -> None:
        """Have the engine ask the server at this address in place of Stripe's."""
        self._variables.write_text(f"export METERFOLD_STRIPE_API_BASE={url}\n")

    def _write_command(self, name: str, program: str) -> None:
        command = self._commands / name
        command.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        command.chmod(0o755)

    def environment(self) -> dict[str, str]:
        plain = {name: value for name, value in environment().items() if not name.startswith("METERFOLD_")}
        return {**plain, "PATH": f"{self._commands}{os.pathsep}{plain['PATH']}", "TERM": "dumb"}

    def follow(self, step: Step) -> None:
        """Run a step; in a moment means that one asks again until the answer is there."""
        deadline = time.monotonic() + (MOMENT_SECONDS_MAX if step.manner == "in a moment" else 0)
        while True:
            try:
                self._follow_once(step)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
            else:
                return

    def _follow_once(self, step: Step) -> None:
        command = self._here(step.command)
        ended = subprocess.run(
            self._shell(f"{command}\nexport -p > {self._variables}\n"),
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

    def _here(self, command: str) -> str:
        """With the addresses of this run in place of the usual ones."""
        broker = f"127.0.0.1:{self._broker_port}"
        here = command.replace(PRINTED_ADDRESS, self.address).replace(PRINTED_BROKER, broker)
        return here.replace(PRINTED_STRIPE_KEY, SECRET_KEY)

    def _shell(self, script: str) -> list[str]:
        return ["bash", "-euo", "pipefail", "-c", f". {self._variables}\n{script}"]

    @contextmanager
    def staying(self, step: Step) -> Iterator[None]:
        """A command that runs until the end of the page, as in a terminal of its own."""
        command = self._here(step.command)
        if command == MAKE_KAFKA:
            where = f"KAFKA_PORT={self._broker_port} KAFKA_FOLDER={self.folder / 'kafka'}"
            command = f"make --directory {ROOT} kafka {where}"
        elif command == "meterfold serve":
            port = free_port()
            self.address = f"http://127.0.0.1:{port}"
            command = f"meterfold serve --port {port}"
        output = self.folder / f"line-{step.line}.out"
        with output.open("wb") as written:
            process = subprocess.Popen(
                self._shell(f"exec {command}"), cwd=self.folder, env=self.environment(), stdout=written, stderr=written
            )
        try:
            deadline = time.monotonic() + READY_SECONDS_MAX
            while READY.search(output.read_bytes()) is None:
                assert process.poll() is None, f"line {step.line}: {command} ended:\n{output.read_text()}"
                assert time.monotonic() < deadline, f"line {step.line}: {command} is not ready:\n{output.read_text()}"
                time.sleep(0.1)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS_MAX)

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
            engine.communicate(timeout=STOP_SECONDS_MAX)
        assert engine.returncode == 0


@pytest.mark.parametrize("page", list(pages()))
def test_the_commands_of_a_page_work(page: str, tmp_path: Path) -> None:
    assert shutil.which("curl"), "the pages use curl"
    reader = Reader(tmp_path)
    served = False
    text = (ROOT / page).read_text()
    with ExitStack() as running:
        if PRINTED_STRIPE_KEY in text:
            reader.use_stripe_at(running.enter_context(stripe_server()).url)
        for step in steps_of(text):
            if step.serving and not served:
                running.enter_context(reader.served())
                served = True
            if step.manner == "stays running":
                running.enter_context(reader.staying(step))
            else:
                reader.follow(step)
