"""Closing a producer that may hold what can no longer be delivered.

The library's own `close` first waits for everything that is under way. When the time is over before that, it raises,
and leaves the producer open and its thread sending.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from kafka.errors import KafkaError

#: How long a thread that was told to give everything up may take to do so.
GIVING_UP_SECONDS_MAX: Final = 1.0


def close_producer(producer: Any, seconds_max: float) -> None:
    """Close it; what was not delivered after `seconds_max` fails. Never raises what the library raises."""
    with suppress(KafkaError):
        producer.close(timeout=seconds_max)
        return
    producer._sender.force_close()  # noqa: SLF001 -- nothing public ends that thread
    with suppress(KafkaError):
        producer.close(timeout=GIVING_UP_SECONDS_MAX)
