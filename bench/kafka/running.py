"""All Kafka measurements, on a broker started for them: usage alone, then usage with as many commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from bench.kafka.consuming import ConsumingResult, ConsumingRun
from bench.processes import ROOT, run_step
from deploy.kafka.broker import Broker, BrokerConfig, fetch_jars, free_ports

#: With commands, one in this many of the usage events is sent, because every command is an event of its own in the log.
WITH_COMMANDS_SHARE: Final = 20
PREFLIGHT_SECONDS_MAX: Final = 60


class KafkaResult(msgspec.Struct, frozen=True):
    """The results by contents of the topic; `left_out` is the reason if there are none."""

    usage: ConsumingResult | None = None
    with_commands: ConsumingResult | None = None
    left_out: str | None = None


def missing_requirements(environment: Mapping[str, str]) -> str | None:
    """The requirements of a broker that this environment lacks, as text of the preflight check; None if it has all."""
    command = [sys.executable, str(ROOT / "deploy" / "preflight.py"), "--kafka"]
    checked = subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, timeout=PREFLIGHT_SECONDS_MAX, check=False
    )
    return None if checked.returncode == 0 else checked.stderr.replace("preflight: ", "").strip()


def measure(folder: Path, events: int, customers: int, seed: int, report: Callable[[str], None]) -> KafkaResult:
    """Start a broker and measure on it; without Java or Maven return a result that says so.

    Raises `BrokerFailed` or `StepFailed`.
    """
    missing = missing_requirements(os.environ)
    if missing is not None:
        return KafkaResult(left_out=f"left out: {missing}")
    report("Kafka: fetching and starting a broker")
    with _broker(folder / "broker") as bootstrap:
        report(f"Kafka: {events:,} events, one consumer")
        alone = ConsumingRun(bootstrap, str(folder / "usage"), events, customers, seed)
        usage = run_step("kafka", alone, ConsumingResult)
        few = events // WITH_COMMANDS_SHARE
        report(f"Kafka: {few:,} events and as many commands")
        mixed = ConsumingRun(bootstrap, str(folder / "commands"), few, customers, seed + 7, commands=True)
        return KafkaResult(usage, run_step("kafka", mixed, ConsumingResult))


@contextmanager
def _broker(folder: Path) -> Iterator[str]:
    """Run a broker in this folder within the context; yield its bootstrap address."""
    port, controller_port = free_ports(2)
    broker = Broker(BrokerConfig(folder, port, controller_port), fetch_jars())
    try:
        broker.start()
        yield broker.bootstrap
    finally:
        broker.stop()
