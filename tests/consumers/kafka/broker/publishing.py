"""Sends generated traffic to a broker and an engine, in a process of its own that takes its client with it.

python -m tests.consumers.kafka.broker.publishing SEED EVENTS BOOTSTRAP TOPIC URL SECONDS
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from kafka import KafkaProducer

from consumers.kafka.client_internals.producer_closing import close_producer
from tests.consumers.kafka.broker.generated_traffic import Traffic
from tests.consumers.kafka.broker.sent_records import Sent, Way
from tests.meterfold_process import ADMIN_KEY, ROOT, environment

HTTP_EVENTS_OF_REQUEST = 50
POSTS_MAX = 5
PACE_RECORDS = 100
CONNECTED = b"connected\n"
#: From the end of the disruptions to the last record.
ENDING_SECONDS_MAX = 900.0
#: An idempotent producer writes each record once, and may wait for a broker for as long as this.
DELIVERY_MILLISECONDS_MAX = 300_000
RECONNECT_MILLISECONDS_MAX = 500
#: A transaction that waits longer for its broker is begun again; the library may lose sight of one for good.
TRANSACTION_MILLISECONDS_MAX = 15_000
#: Records of one transaction; aborted ones are smaller.
COMMITTED_RECORDS = 200
ABORTED_RECORDS = 20
TRANSACTION_ATTEMPTS_MAX = 10
CLOSING_SECONDS_MAX = 60.0


@contextmanager
def publishing(
    seed: int, events: int, bootstrap: str, topic: str, url: str, seconds_min: float, said: Path
) -> Iterator[None]:
    """Send the traffic of a seed while the block runs, over at least `seconds_min`; at its end all is sent.

    `said` is the file of its error output.
    """
    arguments = (seed, events, bootstrap, topic, url, seconds_min)
    command = [sys.executable, "-W", "ignore", "-m", "tests.consumers.kafka.broker.publishing", *map(str, arguments)]
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


class Publisher:
    """One producer for each way of sending. Raises the error of any record that was not delivered."""

    def __init__(self, bootstrap: str, topic: str, url: str) -> None:
        self._topics = {"usage": topic, "customers": f"{topic}.customers"}
        self._url = url
        self._failures: list[BaseException] = []
        self._over_http: list[Sent] = []
        self._alone: dict[Way, Any] = {
            way: _producer(bootstrap, compression_type=None if way == "plain" else way)
            for way in ("plain", "lz4", "zstd")
        }
        self._together: dict[Way, list[Sent]] = {"committed": [], "aborted": []}
        self._bootstrap, self._transactional_id = bootstrap, f"{topic}.traffic"
        self._transactional = self._fresh_transactional()

    def send(self, record: Sent) -> None:
        """Send a record now, or later in a batch or transaction."""
        if record.destination is None:
            self._over_http.append(record)
            if len(self._over_http) >= HTTP_EVENTS_OF_REQUEST:
                self._post()
        elif record.way in self._alone:
            self._sent(self._alone[record.way], record).add_errback(self._failures.append)
        else:
            waiting = self._together[record.way]
            waiting.append(record)
            if len(waiting) >= (COMMITTED_RECORDS if record.way == "committed" else ABORTED_RECORDS):
                self._transact(record.way)

    def finish(self) -> None:
        """Send the rest, and wait until all is delivered."""
        self._post()
        for way in self._together:
            self._transact(way)
        close_producer(self._transactional, CLOSING_SECONDS_MAX)
        for producer in (*self._alone.values(), self._fresh_transactional()):
            producer.flush()
            producer.close()
        if self._failures:
            raise self._failures[0]

    def _fresh_transactional(self) -> Any:
        """A transactional producer; the broker aborts what an earlier one of its name left open."""
        producer = _producer(
            self._bootstrap,
            transactional_id=self._transactional_id,
            request_timeout_ms=TRANSACTION_MILLISECONDS_MAX // 3,
            delivery_timeout_ms=TRANSACTION_MILLISECONDS_MAX,
        )
        producer.init_transactions()
        return producer

    def _sent(self, producer: Any, record: Sent) -> Any:
        assert record.destination is not None
        topic, partition = record.destination
        headers = list(record.headers)
        return producer.send(
            self._topics[topic], key=record.key, value=record.value, partition=partition, headers=headers
        )

    def _transact(self, way: Way) -> None:
        """Send the waiting records in one transaction: all are acknowledged before it is committed or aborted.

        One that fails before that is aborted by the broker, and retried as a whole.
        """
        waiting = self._together[way]
        for _ in range(TRANSACTION_ATTEMPTS_MAX if waiting else 0):
            self._transactional.begin_transaction()
            under_way = [self._sent(self._transactional, record) for record in waiting]
            self._transactional.flush()  # so that aborted records have been in the topic
            failures = [sent.exception for sent in under_way if not sent.succeeded()]
            if failures:
                # After records that expired, the library neither fails the transaction nor always lets it be aborted.
                sys.stderr.write(f"a transaction is tried again: {failures[0]!r}\n")
                close_producer(self._transactional, 0.0)
                self._transactional = self._fresh_transactional()
                continue
            if way == "committed":
                self._transactional.commit_transaction()
            else:
                self._transactional.abort_transaction()
            waiting.clear()
            return
        assert not waiting, f"no transaction of {TRANSACTION_ATTEMPTS_MAX} came to its end"

    def _post(self) -> None:
        if not self._over_http:
            return
        body = b"\n".join(record.value or b"" for record in self._over_http)
        headers = {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {ADMIN_KEY}"}
        answer = self._posted(body, headers)
        for _ in range(POSTS_MAX):
            if answer.status_code != 503 or answer.json()["type"] != "/problems/log_unavailable":
                break
            answer = self._posted(body, headers)  # nothing was stored: somebody frozen holds the log's lock
        assert answer.status_code in (200, 202), answer.text
        self._over_http.clear()

    def _posted(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        return httpx.post(f"{self._url}/v1/events", content=body, headers=headers, timeout=60)


def _producer(bootstrap: str, **options: Any) -> Any:
    chosen = {"linger_ms": 5, "max_block_ms": 60_000, "delivery_timeout_ms": DELIVERY_MILLISECONDS_MAX, **options}
    return KafkaProducer(bootstrap_servers=bootstrap, reconnect_backoff_max_ms=RECONNECT_MILLISECONDS_MAX, **chosen)


def publish(traffic: Traffic, publisher: Publisher, seconds_per_record: float) -> None:
    """Send every record once, in order, not faster than the pace."""
    sys.stdout.write(CONNECTED.decode())
    sys.stdout.flush()
    begun = time.monotonic()
    for number, record in enumerate(traffic.records(), 1):
        publisher.send(record)
        if number % PACE_RECORDS == 0:
            time.sleep(max(0.0, begun + number * seconds_per_record - time.monotonic()))
    publisher.finish()


if __name__ == "__main__":
    seed, events, bootstrap, topic, url, seconds = sys.argv[1:]
    publish(Traffic(int(seed), int(events)), Publisher(bootstrap, topic, url), float(seconds) / max(1, int(events)))
