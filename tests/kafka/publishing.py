"""Sends generated traffic to a broker and an engine, in a process of its own: what its client leaves open dies with it.

    python -m tests.kafka.publishing SEED EVENTS PARTITIONS BOOTSTRAP TOPIC URL SECONDS
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from kafka import KafkaProducer

from tests.kafka.generated_traffic import Sent, Traffic
from tests.meterfold_process import ADMIN_KEY, ROOT, environment

HTTP_EVENTS_OF_REQUEST = 50
PACE_RECORDS = 100
CONNECTED = b"connected\n"
#: From the end of what happens to the last record.
ENDING_SECONDS_MAX = 900.0
#: An idempotent producer writes each record once, and may wait for a broker for as long as this.
DELIVERY_MILLISECONDS_MAX = 300_000


@contextmanager
def publishing(
    seed: int, events: int, partitions: int, bootstrap: str, topic: str, url: str, seconds_min: float, said: Path
) -> Iterator[None]:
    """Sends the traffic of a seed while the block runs, over at least so many seconds; at the end all is sent.

    `said` gets what it complains of.
    """
    told = (seed, events, partitions, bootstrap, topic, url, seconds_min)
    command = [sys.executable, "-W", "ignore", "-m", "tests.kafka.publishing", *map(str, told)]
    with said.open("wb") as output:
        process = subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, stderr=output)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == CONNECTED, said.read_text()[-4_000:]
        yield
        process.communicate(timeout=ENDING_SECONDS_MAX)
        assert process.returncode == 0, said.read_text()[-4_000:]
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def publish(traffic: Traffic, bootstrap: str, topic: str, url: str, seconds_per_record: float) -> None:
    """Every record once, in order, not faster than told."""
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, linger_ms=5, delivery_timeout_ms=DELIVERY_MILLISECONDS_MAX, max_block_ms=60_000
    )
    sys.stdout.write(CONNECTED.decode())
    sys.stdout.flush()
    failures: list[BaseException] = []
    waiting: list[Sent] = []
    begun = time.monotonic()
    for number, record in enumerate(traffic.records(), 1):
        if record.partition is None:
            waiting.append(record)
            if len(waiting) >= HTTP_EVENTS_OF_REQUEST:
                _post(url, waiting)
        else:
            sent = producer.send(topic, key=record.key, value=record.value, partition=record.partition)
            sent.add_errback(failures.append)
        if number % PACE_RECORDS == 0:
            time.sleep(max(0.0, begun + number * seconds_per_record - time.monotonic()))
    _post(url, waiting)
    producer.flush()
    producer.close()
    if failures:
        raise failures[0]


def _post(url: str, waiting: list[Sent]) -> None:
    if not waiting:
        return
    body = b"\n".join(record.value for record in waiting)
    headers = {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {ADMIN_KEY}"}
    httpx.post(f"{url}/v1/events", content=body, headers=headers, timeout=60).raise_for_status()
    waiting.clear()


if __name__ == "__main__":
    seed, events, partitions, bootstrap, topic, url, seconds = sys.argv[1:]
    publish(
        Traffic(int(seed), int(events), int(partitions)), bootstrap, topic, url, float(seconds) / max(1, int(events))
    )
