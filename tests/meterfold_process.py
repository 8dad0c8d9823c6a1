"""The real `meterfold` command in processes of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

ADMIN_KEY = "sk-of-this-test-run-only"
COMMAND_SECONDS_MAX = 120.0
READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
_MAIN = "from api.cli.main import main; main()"
ROOT = Path(__file__).resolve().parent.parent


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-c", _MAIN, *arguments]


def environment(**more: str) -> dict[str, str]:
    """That of the tests, without settings of the engine, and with a known first key."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("METERFOLD_")}
    return {**plain, "METERFOLD_ADMIN_KEY": ADMIN_KEY, "PYTHONPATH": str(ROOT), **more}


def meterfold(*arguments: str, status: int | None = 0, more: Mapping[str, str] | None = None) -> str:
    """What one command prints; it has to end with this status. `more`: environment variables, such as settings."""
    ended = subprocess.run(
        command_line(*arguments),
        env=environment(**(more or {})),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
        check=False,
    )
    if status is not None and ended.returncode != status:
        raise AssertionError(
            f"meterfold {' '.join(arguments)} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"
        )
    return ended.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """`meterfold serve` on a data folder, that may be killed and started again on the same port.

    `more`: environment variables, such as settings of the engine.
    """

    def __init__(self, folder: Path, output: Path, more: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self._output = output
        self._environment = environment(**(more or {}))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it says that it is ready."""
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Start it without waiting."""
        arguments = ("serve", "--data", str(self.folder), "--port", str(self.port))
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                command_line(*arguments), env=self._environment, stdout=output, stderr=output
            )

    def await_ready(self) -> None:
        """Wait until it says that it is ready."""
        assert self._process is not None
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"serve did not become ready:\n{self._output.read_text()[-4000:]}")
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        return False

    def children(self) -> list[int]:
        """Process ids of what it started."""
        listed = subprocess.run(["ps", "-o", "pid=,ppid=", "-A"], capture_output=True, text=True, check=True).stdout
        pairs = [line.split() for line in listed.splitlines()]
        return [int(pid) for pid, parent in pairs if int(parent) == self.pid]

    def kill(self) -> None:
        """SIGKILL to the owner, and wait until it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and wait; does nothing when it runs no more. `TimeoutExpired` when it had to be killed instead."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.kill()
                raise


@contextmanager
def serving(folder: Path, output: Path, more: Mapping[str, str] | None = None) -> Iterator[Server]:
    server = Server(folder, output, more)
    server.start()
    try:
        yield server
    finally:
        server.stop()
