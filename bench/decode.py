"""Microseconds per event of each stage between received bytes and the log, in one thread.

    python -m bench.decode [events]

Each stage is also shown as a multiple of `msgspec decode` in the same run: ratios differ less between machines.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

from consumers.intake.child import GARBAGE_OBJECTS_MIN
from domain.log.blocks import BlockContext, block_state, decode_free, decode_typed, encode_buffers
from domain.scope import DEFAULT_SCOPE
from domain.usage.decoding.decoder import DecodingContext, decode_body
from domain.usage.request_bodies import BodyFormat, items_of

EVENTS_DEFAULT: Final = 10_000
ROUNDS: Final = 7
RECORDED_AT: Final = datetime(2026, 9, 2, tzinfo=UTC)
NDJSON: Final = "application/x-ndjson"


def usage_event(number: int) -> bytes:
    """A usage event as a gateway sends it, about 350 bytes of JSON."""
    data = {
        "provider": "openai",
        "model": ("gpt-4o", "gpt-4o-mini", "o3-mini")[number % 3],
        "input_tokens": 100 + number % 5_000,
        "cached_input_tokens": number % 100,
        "output_tokens": number % 700,
        "status": "succeeded",
        "cost_usd": f"0.{number % 99_999 + 1:06}",
        "latency_ms": number % 3_000,
        "tags": ["team-a", "prod"],
        "region": "eu-1",
    }
    event = {
        "specversion": "1.0",
        "id": f"req-{number:016x}",
        "source": "gateway/eu-1",
        "type": "llm.request",
        "subject": f"customer-{number * 7_919 % 2_000}",
        "time": f"2026-09-01T12:{number // 60 % 60:02}:{number % 60:02}.{number % 1_000:03}Z",
        "data": data,
    }
    return json.dumps(event, separators=(",", ":")).encode()


def best_of(work: Callable[[], object]) -> float:
    """The seconds of the fastest of a few rounds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main(events: int) -> None:
    """Measure every stage and print a line for each."""
    gc.set_threshold(GARBAGE_OBJECTS_MIN, 20, 50)  # as in the intake process
    lines = [usage_event(number) for number in range(events)]
    body = b"\n".join(lines)
    context = DecodingContext(DEFAULT_SCOPE, 7, RECORDED_AT)
    decoded = decode_body(NDJSON, body, context)
    block = BlockContext("default", "prod", "usage/http/bench", 1, 0, events - 1, RECORDED_AT)
    buffers = encode_buffers(decoded.typed, decoded.free)
    state = block_state(block, buffers)
    decode = msgspec.json.Decoder().decode

    def decode_alone() -> None:
        for line in items_of(BodyFormat.LINES, body):
            decode(line)

    stages: list[tuple[str, Callable[[], object]]] = [
        ("msgspec decode", decode_alone),
        ("decode, validate, columns, digests", lambda: decode_body(NDJSON, body, context)),
        ("block encode", lambda: block_state(block, encode_buffers(decoded.typed, decoded.free))),
        ("block decode, typed", lambda: decode_typed(state)),
        ("block decode, free", lambda: decode_free(state)),
    ]
    print(f"{events} events, {len(body) / events:.0f} bytes of JSON each, {len(state) / events:.0f} in a block")
    base = best_of(decode_alone)
    for name, work in stages:
        seconds = best_of(work)
        print(f"{name:36}{seconds / events * 1e6:8.2f} us/event{seconds / base:8.2f} x")
    one = best_of(lambda: decode_body(NDJSON, lines[0], context))
    print(f"{'one event by itself':36}{one * 1e6:8.0f} us")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS_DEFAULT)
