"""Throughput of consuming from Kafka, with the engine and one consumer process as `serve` runs them.

1. Open the engine with one consumer and send a few records through, so that everything is connected and warm.
2. Stop the consumer's process (SIGSTOP), publish everything, and measure the Kafka clients alone (the limit).
3. Continue the consumer and measure until everything is counted; record the memory of both at each fifth.
4. Measure the clients alone once more, since other load on the machine affects all measurements alike.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from bench.bench_settings import engine_settings
from bench.kafka.polling import CONFLUENT, KAFKA_PYTHON, Polled, PollRun, confluent_is_there
from bench.kafka.records import Published, PublishRun, make_topic
from bench.processes import peak_bytes, run_step
from consumers.bootstrap import open_engine
from consumers.embedded.engine import EmbeddedEngine
from domain.log.event_codec import decode_lifecycle
from domain.sources.events import PartitionConsumed

WARMING_USAGE: Final = 3_000
FIFTHS: Final = 5
#: The interval of polling, which costs the owner time; it is short only near the end.
LOOK_SECONDS: Final = 0.25
LAST_LOOK_SECONDS: Final = 0.02
LAST_EVENTS: Final = 10_000
WAIT_SECONDS_MAX: Final = 600.0
#: Long enough that the broker keeps the partitions assigned while the consumer is stopped.
SESSION_SECONDS: Final = 900
LOG_PAGE_RECORDS: Final = 2_000
CONSUMED_TOPIC: Final = "source.consumed"


class ConsumingRun(msgspec.Struct, frozen=True):
    """`usage` events into a new folder; with `commands`, as many commands as well."""

    bootstrap: str
    folder: str
    usage: int
    customers: int
    seed: int
    commands: bool = False


class ConsumingResult(msgspec.Struct, frozen=True):
    """Elapsed and processor seconds until everything was counted; peak memory in bytes after each fifth."""

    published: Published
    seconds: float
    consumer_cpu_seconds: float
    owner_cpu_seconds: float
    owner_bytes: list[int]
    consumer_bytes: list[int]
    counted: int
    duplicates: int
    honoured: int
    polled: list[Polled]


class _Totals(msgspec.Struct, frozen=True):
    received: int
    counted: int
    duplicates: int


def measure(run: ConsumingRun) -> ConsumingResult:
    """Measure with a new topic. Runs in a process of its own, which is the owner of the folder."""
    topic = f"bench.{os.getpid()}.{time.time_ns()}"
    make_topic(run.bootstrap, topic)
    settings = engine_settings(
        Path(run.folder),
        kafka_bootstrap=run.bootstrap,
        kafka_usage_topics=(topic,),
        kafka_customer_topics=(topic,),
        kafka_group=topic,
        kafka_session_timeout_seconds=SESSION_SECONDS,
        kafka_consumers=1,
    )
    publishing = PublishRun(run.bootstrap, topic, run.usage, run.customers, run.seed, run.commands)
    with open_engine(settings, serving=True) as engine:
        warm = _warmed(engine, publishing)
        consumer = _consumer_of(engine)
        before = _totals(engine)
        with _stopped(consumer):
            published = run_step("kafka records", publishing, Published)
            records = warm.records + published.records
            polled = _polled_alone(run.bootstrap, topic, records)
            cpu_before = cpu_seconds(consumer), cpu_seconds(os.getpid())
            started = time.perf_counter()
        memory = _counted(engine, consumer, before.received, published.usage)
        seconds = time.perf_counter() - started
        cpu = cpu_seconds(consumer) - cpu_before[0], cpu_seconds(os.getpid()) - cpu_before[1]
        after, honoured = _totals(engine), honoured_commands(engine)
        polled += _polled_alone(run.bootstrap, topic, records)
    return ConsumingResult(
        published,
        seconds,
        *cpu,
        [owner for owner, _ in memory],
        [of_consumer for _, of_consumer in memory],
        after.counted - before.counted,
        after.duplicates - before.duplicates,
        honoured,
        polled,
    )


def _warmed(engine: EmbeddedEngine, publishing: PublishRun) -> Published:
    """Publish a few records and wait until they are counted."""
    few = msgspec.structs.replace(publishing, usage=WARMING_USAGE, seed=publishing.seed + 1, commands=False)
    published = run_step("kafka records", few, Published)
    _await_received(engine, published.usage)
    return published


def _consumer_of(engine: EmbeddedEngine) -> int:
    """The process id of the one consumer."""
    (consumer,) = engine.consumers
    pid = consumer.state().pid
    assert pid is not None, "the consumer has died"
    return pid


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    """Stop a process within this context, and continue it afterwards."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _polled_alone(bootstrap: str, topic: str, records: int) -> list[Polled]:
    clients = (KAFKA_PYTHON, CONFLUENT) if confluent_is_there() else (KAFKA_PYTHON,)
    return [run_step("kafka polling", PollRun(bootstrap, topic, records, client), Polled) for client in clients]


def _counted(engine: EmbeddedEngine, consumer: int, before: int, usage: int) -> list[tuple[int, int]]:
    """Wait until all usage is counted and the log is folded; return the peak memory of both at each fifth."""
    memory = []
    for fifth in range(1, FIFTHS + 1):
        _await_received(engine, before + usage * fifth // FIFTHS)
        memory.append((peak_bytes(os.getpid()), peak_bytes(consumer)))
    if not engine.wait_folded(engine.log.head_position(), WAIT_SECONDS_MAX):
        raise TimeoutError("the fold did not catch up within the time of a benchmark")
    return memory


def _await_received(engine: EmbeddedEngine, count: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while (received := _totals(engine).received) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{received:,} of {count:,} events came within the time of a benchmark")
        time.sleep(LAST_LOOK_SECONDS if count - received <= LAST_EVENTS else LOOK_SECONDS)


def _totals(engine: EmbeddedEngine) -> _Totals:
    with engine.reads.snapshot() as snapshot:
        totals = snapshot.totals()
    received = totals.counted + totals.duplicate + totals.conflict + totals.rejected
    return _Totals(received, totals.counted, totals.duplicate)


def honoured_commands(engine: EmbeddedEngine) -> int:
    """The number of commands that were honoured, by the log."""
    position, honoured = 0, 0
    while page := engine.log.read(position, LOG_PAGE_RECORDS):
        for record in page:
            if record.topic == CONSUMED_TOPIC:
                consumed = decode_lifecycle(record.topic, record.state)
                if isinstance(consumed, PartitionConsumed):
                    honoured += sum(command.outcome == "honoured" for command in consumed.commands)
        position = page[-1].position
    return honoured


def cpu_seconds(pid: int) -> float:
    """The processor time that a running process has used in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
