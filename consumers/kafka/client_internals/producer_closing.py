"""Close a producer that may hold records that cannot be delivered any more.

The library's own `close` first waits for all records under way. On a time-out it raises, and leaves the producer open
and its thread sending: the process then ends without it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from kafka.errors import KafkaError

from consumers.kafka.client_internals.needed_names import MISSING

#: How long the sending thread may take to end after it was told to give up.
GIVING_UP_SECONDS_MAX: Final = 1.0


def close_producer(producer: Any, seconds_max: float) -> None:
    """Close a producer; records not delivered after `seconds_max` fail. Errors of the library are not raised."""
    with suppress(KafkaError):
        producer.close(timeout=seconds_max)
        return
    if not MISSING:
        producer._sender.force_close()  # noqa: SLF001 -- nothing public ends that thread
        with suppress(KafkaError):
            producer.close(timeout=GIVING_UP_SECONDS_MAX)
