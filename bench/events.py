"""Generated usage events as NDJSON of about 350 bytes each, the same for the same seed and day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

NDJSON: Final = "application/x-ndjson"
PROVIDERS_AND_MODELS: Final = (
    (b"openai", b"gpt-4o"),
    (b"openai", b"gpt-4o-mini"),
    (b"anthropic", b"claude-3-5-sonnet-latest"),
    (b"google", b"gemini-1.5-pro"),
)
SOURCES: Final = 4
DAYS: Final = 60

_EVENT: Final = (
    b'{"specversion":"1.0","id":"evt-%016x%08x","source":"gateway/%d","type":"llm.request",'
    b'"subject":"customer-%07d","time":"%bT%02d:%02d:%02d.%06dZ","data":{"provider":"%b","model":"%b",'
    b'"input_tokens":%d,"cached_input_tokens":%d,"output_tokens":%d,"status":"succeeded","tags":["chat"],'
    b'"request_id":"%016x%08x"}}'
)


def customer_id(number: int) -> str:
    """The id of a customer by its number, counted from 0."""
    return f"customer-{number:07d}"


def event_lines(count: int, customers: int, seed: int, today: datetime) -> list[bytes]:
    """`count` events of the `DAYS` before `today` (a UTC midnight); low customer numbers are more frequent."""
    chance = np.random.default_rng(seed)
    first_day = today - timedelta(days=DAYS)
    days = [(first_day + timedelta(days=number)).strftime("%Y-%m-%d").encode() for number in range(DAYS)]
    kinds = chance.integers(0, len(PROVIDERS_AND_MODELS), count).tolist()
    inputs = chance.integers(1, 8_000, count)
    cached = (inputs * chance.random(count)).astype(np.int64).tolist()
    columns = zip(
        *(chance.integers(0, 1 << bits, count, dtype=np.uint64).tolist() for bits in (63, 32, 63, 32)),
        chance.integers(0, SOURCES, count).tolist(),
        (customers * chance.random(count) ** 2).astype(np.int64).tolist(),
        chance.integers(0, DAYS, count).tolist(),
        chance.integers(0, 86_400, count).tolist(),
        chance.integers(0, 1_000_000, count).tolist(),
        kinds,
        inputs.tolist(),
        cached,
        chance.integers(1, 1_000, count).tolist(),
        strict=True,
    )
    return [
        _EVENT
        % (
            *(high, low, source, customer, days[day], second // 3600, second // 60 % 60, second % 60, microsecond),
            *PROVIDERS_AND_MODELS[kind],
            *(input_tokens, cached_tokens, output_tokens, request_high, request_low),
        )
        for (
            high,
            low,
            request_high,
            request_low,
            source,
            customer,
            day,
            second,
            microsecond,
            kind,
            input_tokens,
            cached_tokens,
            output_tokens,
        ) in columns
    ]


def bodies(lines: Sequence[bytes], events_per_body: int) -> Iterator[bytes]:
    """The events as NDJSON bodies of `events_per_body` events."""
    for first in range(0, len(lines), events_per_body):
        yield b"\n".join(lines[first : first + events_per_body])


def mixed(fresh: Sequence[bytes], known: Sequence[bytes], seed: int) -> list[bytes]:
    """All events of both, shuffled."""
    lines = [*fresh, *known]
    return [lines[at] for at in np.random.default_rng(seed).permutation(len(lines)).tolist()]


def midnight(now: datetime) -> datetime:
    """The start of the UTC day."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
