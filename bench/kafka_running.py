"""The question about Kafka as a whole: a broker of its own, usage alone, then as many commands as usage."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from bench.kafka_consuming import ConsumingResult, ConsumingRun
from bench.processes import ROOT, run_step
from deploy.kafka.broker import Broker, Place, fetched_jars, free_ports

#: So many events come with commands, of those that come alone: a command is written as an event of its own.
WITH_COMMANDS_SHARE: Final = 20
PREFLIGHT_SECONDS_MAX: Final = 60


class KafkaResult(msgspec.Struct, frozen=True):
    """Results by what the topic held; `left_out` says why there are none."""

    usage: ConsumingResult | None = None
    with_commands: ConsumingResult | None = None
    left_out: str | None = None


def what_is_missing(environment: Mapping[str, str]) -> str | None:
    """What a broker needs and this environment lacks, in the words of the preflight check; None when nothing."""
    command = [sys.executable, str(ROOT / "deploy" / "preflight.py"), "--kafka"]
    checked = subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, timeout=PREFLIGHT_SECONDS_MAX, check=False
    )
    return None if checked.returncode == 0 else checked.stderr.replace("preflight: ", "").strip()


def measure(folder: Path, events: int, customers: int, seed: int, tell: Callable[[str], None]) -> KafkaResult:
    """Measure on a broker that is started for it. Without Java or Maven nothing is measured; any other trouble is an
    error: `BrokerFailed`, `StepFailed`.
    """
    missing = what_is_missing(os.environ)
    if missing is not None:
        return KafkaResult(left_out=f"left out: {missing}")
    tell("Kafka: fetching and starting a broker")
    with _broker(folder / "broker") as bootstrap:
        tell(f"Kafka: {events:,} events, one consumer")
        alone = ConsumingRun(bootstrap, str(folder / "usage"), events, customers, seed)
        usage = run_step("kafka", alone, ConsumingResult)
        few = events // WITH_COMMANDS_SHARE
        tell(f"Kafka: {few:,} events and as many commands")
        mixed = ConsumingRun(bootstrap, str(folder / "commands"), few, customers, seed + 7, commands=True)
        return KafkaResult(usage, run_step("kafka", mixed, ConsumingResult))


@contextmanager
def _broker(folder: Path) -> Iterator[str]:
    """The address of a broker that runs in this folder until the end of the context."""
    port, controller_port = free_ports(2)
    broker = Broker(Place(folder, port, controller_port), fetched_jars())
    try:
        broker.start()
        yield broker.bootstrap
    finally:
        broker.stop()
