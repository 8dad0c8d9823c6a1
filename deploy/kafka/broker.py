"""Run Apache Kafka for development and tests: broker and controller in one process, on loopback only.

    python3 deploy/kafka/broker.py [--port PORT] [--folder FOLDER]

1. Fetch the jars pinned in pom.xml into .kafka/, once.
2. Format a data folder, once.
3. Start the broker on it, and wait until its output says that it has started.
4. Stop it cleanly on Ctrl+C or SIGTERM, so that the next start needs no recovery.

Uses the standard library only, and Java 17 and Maven; `make kafka` tells how to install these.
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
CACHE: Final = HERE.parent.parent / ".kafka"
HOST: Final = "127.0.0.1"
USUAL_PORT: Final = 9092

HEAP: Final = "512m"
FETCH_SECONDS_MAX: Final = 600
FORMAT_SECONDS_MAX: Final = 60
START_SECONDS_MAX: Final = 60
STOP_SECONDS_MAX: Final = 30
POLL_SECONDS: Final = 0.05
SHOWN_LINES_MAX: Final = 30

_STARTED: Final = b"Kafka Server started"


class BrokerFailed(Exception):
    """The broker could not be fetched, formatted, started or stopped; the message has its last output."""


@dataclass(frozen=True)
class BrokerConfig:
    """The configuration of a broker: its folder, and its two ports on loopback.

    `listeners` are additional ones, each as `NAME://HOST:PORT`; `properties` override the default ones;
    `format_arguments` go to Kafka's own format command, for SCRAM users.
    """

    folder: Path
    port: int
    controller_port: int
    listeners: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    format_arguments: tuple[str, ...] = ()

    @property
    def bootstrap(self) -> str:
        """The bootstrap address for clients."""
        return f"{HOST}:{self.port}"

    @property
    def configuration(self) -> Path:
        """The broker's properties file."""
        return self.folder / "server.properties"

    @property
    def output(self) -> Path:
        """The file with the broker's output."""
        return self.folder / "broker.log"

    @property
    def data(self) -> Path:
        """The folder with the broker's logs."""
        return self.folder / "data"


def free_ports(count: int) -> list[int]:
    """Ports of loopback that are free now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def fetch_jars(cache: Path = CACHE) -> Path:
    """Fetch the jars of pom.xml if they are missing; return their folder. Raises `BrokerFailed`.

    If several processes call this at once, one fetches and the others wait: Maven's repository supports only one.
    """
    pom = HERE / "pom.xml"
    jars = cache / f"jars-{hashlib.sha256(pom.read_bytes()).hexdigest()[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "fetching.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            _fetch(pom, jars)
    return jars


def _fetch(pom: Path, jars: Path) -> None:
    cache = jars.parent
    with tempfile.TemporaryDirectory(dir=cache) as fetching:
        copy = "dependency:copy-dependencies"
        arguments = [_program("mvn"), "-q", "-B", "-f", str(pom), copy, f"-DoutputDirectory={fetching}/jars"]
        _run([*arguments, "-DincludeScope=runtime"], FETCH_SECONDS_MAX, cache)
        Path(fetching, "jars").rename(jars)


def format_folder(config: BrokerConfig, jars: Path) -> None:
    """Write the configuration, and format the folder for a new cluster unless it has one."""
    config.folder.mkdir(parents=True, exist_ok=True)
    written = {**_defaults(config), **config.properties}
    config.configuration.write_text("".join(f"{name}={value}\n" for name, value in written.items()))
    if (config.data / "meta.properties").exists():
        return
    tool = ["kafka.tools.StorageTool", "format", "--cluster-id", _new_cluster_id(), "--config"]
    arguments = [*tool, str(config.configuration), *config.format_arguments]
    _run(_java(jars, "64m", arguments), FORMAT_SECONDS_MAX, config.folder)


def _defaults(config: BrokerConfig) -> dict[str, str]:
    """The properties of a cluster with one member and few clients."""
    own = f"PLAINTEXT://{config.bootstrap}"
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{config.controller_port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": ",".join((own, *config.listeners, f"CONTROLLER://{HOST}:{config.controller_port}")),
        "advertised.listeners": ",".join((own, *config.listeners)),
        "log.dirs": str(config.data),
        "auto.create.topics.enable": "false",
        "num.partitions": "6",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "3",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "3",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # The time for which a killed broker counts as running, and its next start waits.
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "1000",
        "log.retention.check.interval.ms": "1000",
        "log.initial.task.delay.ms": "1000",
        "log.cleaner.dedupe.buffer.size": "16777216",
        "num.network.threads": "2",
        "num.io.threads": "4",
    }


class Broker:
    """A broker process that can be started, stopped, killed and started again in the same folder."""

    def __init__(self, config: BrokerConfig, jars: Path) -> None:
        self.config = config
        self._jars = jars
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The bootstrap address for clients."""
        return self.config.bootstrap

    @property
    def pid(self) -> int:
        """The process id; raises `BrokerFailed` if the broker is not running."""
        if self._process is None:
            raise BrokerFailed("the broker is not running")
        return self._process.pid

    def start(self) -> None:
        """Format a new folder, start, and wait until the broker accepts requests. Raises `BrokerFailed`."""
        format_folder(self.config, self._jars)
        with self.config.output.open("ab") as output:
            begin = output.tell()
            command = _java(self._jars, HEAP, ["kafka.Kafka", str(self.config.configuration)])
            self._process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            self._await_started(begin)
        except BaseException:
            self.kill()
            raise

    def _await_started(self, begin: int) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while _STARTED not in (output := self._output_since(begin)):
            if self.ended() or time.monotonic() > deadline:
                last = b"\n".join(output.splitlines()[-SHOWN_LINES_MAX:]).decode(errors="replace")
                raise BrokerFailed(f"the broker did not start on {self.bootstrap}:\n{last}")
            time.sleep(POLL_SECONDS)

    def _output_since(self, begin: int) -> bytes:
        with self.config.output.open("rb") as output:
            output.seek(begin)
            return output.read()

    def ended(self) -> bool:
        """Whether the broker is not running."""
        return self._process is None or self._process.poll() is not None

    def stop(self) -> None:
        """Send SIGTERM and wait, if it was started; raise `BrokerFailed` if it had to be killed."""
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BrokerFailed(f"the broker did not stop within {STOP_SECONDS_MAX} s and was killed") from None
        self._process = None

    def kill(self) -> None:
        """Send SIGKILL and wait until the process has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait(self) -> int:
        """Wait until the process ends; return its exit code."""
        return 0 if self._process is None else self._process.wait()


def _java(jars: Path, heap: str, arguments: Sequence[str]) -> list[str]:
    options = [f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"]
    messages = f"-Dlog4j2.configurationFile={(HERE / 'log4j2.properties').as_uri()}"
    return [_program("java"), *options, messages, "-cp", f"{jars}/*", *arguments]


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BrokerFailed(f"{name} is not on the path; python3 deploy/preflight.py --kafka tells how to install it")
    return found


def _run(command: Sequence[str], seconds_max: int, folder: Path) -> None:
    try:
        ended = subprocess.run(command, capture_output=True, cwd=folder, timeout=seconds_max, check=False)
    except subprocess.TimeoutExpired:
        raise BrokerFailed(f"{command[0]} did not end within {seconds_max} s") from None
    if ended.returncode != 0:
        last = (ended.stdout + ended.stderr).decode(errors="replace").splitlines()[-SHOWN_LINES_MAX:]
        raise BrokerFailed("\n".join((f"{command[0]} ended with {ended.returncode}:", *last)))


def _new_cluster_id() -> str:
    """16 random bytes in Kafka's notation, without a leading '-', which would be read as an option."""
    while (made := base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()).startswith("-"):
        pass
    return made


def next_steps(config: BrokerConfig) -> str:
    """The message of a started broker, with the next commands."""
    return (
        f"Kafka listens on {config.bootstrap} with its data in {config.folder} (Ctrl+C stops it)\n\n"
        "In another terminal:\n\n"
        f"  export METERFOLD_KAFKA_BOOTSTRAP={config.bootstrap}\n"
        "  meterfold kafka topics --create\n"
        "  meterfold serve\n"
    )


def main() -> int:
    """Run a broker until it is stopped; return 1 after a message if it fails."""
    parser = argparse.ArgumentParser(description="Run Apache Kafka on loopback, for development.")
    parser.add_argument("--port", type=int, default=USUAL_PORT, help="port of the broker (0: any free one)")
    parser.add_argument("--folder", type=Path, default=None, help="data folder (default: .kafka/broker)")
    arguments = parser.parse_args()
    free, controller_port = free_ports(2)
    config = BrokerConfig((arguments.folder or CACHE / "broker").resolve(), arguments.port or free, controller_port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run_until_stopped(config)
    except BrokerFailed as error:
        sys.stderr.write(f"kafka: {error}\n")
        return 1


def _run_until_stopped(config: BrokerConfig) -> int:
    try:
        broker = Broker(config, fetch_jars())
        try:
            broker.start()
            sys.stdout.write(next_steps(config))
            sys.stdout.flush()
            return broker.wait()
        finally:
            broker.stop()
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
