"""A fleet of `meterfold consume` processes on one data folder, which tests kill, freeze and start again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from consumers.kafka.consumer.status import ConsumerStatus, consumers_of
from tests.consumers.kafka.broker import public_poll_consumer
from tests.consumers.kafka.broker.running_broker import RunningBroker
from tests.meterfold_process import command_line, environment

ENDING_SECONDS_MAX = 12.0
AWAITING_SECONDS_MAX = 90.0
SESSION_SECONDS = 3


class Fleet:
    """Consumers by number. `output` gets what they print. `public_poll`: they read by that."""

    def __init__(self, folder: Path, output: Path, more: Mapping[str, str], *, public_poll: bool = False) -> None:
        self.folder = folder
        self._output = output
        self._environment = environment(**more)
        self._public_poll = public_poll
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, number: int, *arguments: str) -> None:
        command = command_line("consume", "--name", f"c{number}", "--data", str(self.folder), *arguments)
        if self._public_poll:
            command = [sys.executable, "-m", public_poll_consumer.__name__, f"c{number}", str(self.folder)]
        with self._output.open("ab") as output:
            self._running[number] = subprocess.Popen(
                command, env=self._environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )

    def kill(self, number: int) -> None:
        process = self._running.pop(number)
        process.kill()
        process.wait()

    def freeze(self, number: int) -> None:
        os.kill(self._running[number].pid, signal.SIGSTOP)

    def thaw(self, number: int) -> None:
        os.kill(self._running[number].pid, signal.SIGCONT)

    def end(self, number: int) -> int:
        """Send SIGTERM and return the exit code."""
        process = self._running.pop(number)
        process.terminate()
        return process.wait(ENDING_SECONDS_MAX)

    def wait(self, number: int) -> int:
        """Return the exit code of one that ends by itself."""
        return self._running.pop(number).wait(AWAITING_SECONDS_MAX)

    def statuses(self) -> list[ConsumerStatus]:
        return consumers_of(self.folder, datetime.now(UTC))

    def reading(self, number: int) -> set[tuple[str, int]]:
        """The topics and partitions in the last status of a running consumer; not those of a former process."""
        process = self._running.get(number)
        return {
            (one.topic, one.partition)
            for status in self.statuses()
            for one in status.partitions
            if process is not None and status.pid == process.pid and one.next_offset is not None
        }

    def appends(self, number: int) -> int:
        """The appends in the last status of a running consumer."""
        process = self._running.get(number)
        return sum(one.appends for one in self.statuses() if process is not None and one.pid == process.pid)

    def pids(self) -> list[int]:
        """The ids of the running processes, frozen ones included."""
        return [process.pid for process in list(self._running.values())]

    def end_all(self) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(ENDING_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def said(self) -> str:
        return self._output.read_text(errors="replace") if self._output.exists() else ""


def kafka_environment(broker: RunningBroker, topic: str, group: str | None = None) -> dict[str, str]:
    """Settings of consumers that read one topic of a test."""
    return {
        "METERFOLD_KAFKA_BOOTSTRAP": broker.bootstrap,
        "METERFOLD_KAFKA_USAGE_TOPICS": topic,
        "METERFOLD_KAFKA_CUSTOMER_TOPICS": f"{topic}.customers",
        "METERFOLD_KAFKA_REJECTED_TOPIC": f"{topic}.rejected",
        "METERFOLD_KAFKA_GROUP": group or f"group.{topic}",
        "METERFOLD_KAFKA_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
    }


@contextmanager
def fleet(folder: Path, more: Mapping[str, str], *, public_poll: bool = False) -> Iterator[Fleet]:
    running = Fleet(folder, folder.with_name(folder.name + ".consumers.log"), more, public_poll=public_poll)
    try:
        yield running
    except BaseException:
        print(running.said()[-6_000:])  # noqa: T201 -- what the processes said belongs to the failure
        raise
    finally:
        running.end_all()


def eventually(claim: Callable[[], bool], what: Callable[[], object], seconds: float = AWAITING_SECONDS_MAX) -> None:
    """Wait until `claim` holds; `what` is shown when it never does."""
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            raise AssertionError(what())
        time.sleep(0.05)
