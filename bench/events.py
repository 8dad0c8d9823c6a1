"""Believable usage events as NDJSON, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

MODELS: Final = (
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-3-5-sonnet-latest"),
    ("google", "gemini-1.5-pro"),
)
FIRST_INSTANT: Final = datetime(2026, 9, 1, tzinfo=UTC)
SECONDS: Final = 60 * 86_400


def ndjson_batches(
    batches: int, events_per_batch: int, customers: int, seed: int, duplicate_share: float = 0.01
) -> Iterator[bytes]:
    """`batches` bodies of about 350 bytes an event; a share of them repeat an event of any age."""
    chance = random.Random(seed)
    kept: list[bytes] = []
    for _ in range(batches):
        lines = []
        for _ in range(events_per_batch):
            if kept and chance.random() < duplicate_share:
                lines.append(chance.choice(kept))
                continue
            line = _event(chance, customers)
            if chance.random() < 0.02:
                kept.append(line)
            lines.append(line)
        yield b"\n".join(lines)


def _event(chance: random.Random, customers: int) -> bytes:
    provider, model = chance.choice(MODELS)
    instant = FIRST_INSTANT + timedelta(seconds=chance.randrange(SECONDS), microseconds=chance.randrange(1_000_000))
    input_tokens = chance.randrange(1, 8_000)
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": f"evt-{chance.getrandbits(96):024x}",
            "source": f"gateway/{chance.randrange(4)}",
            "type": "llm.request",
            "subject": f"customer-{int(customers * chance.random() ** 2):07d}",
            "time": instant.isoformat(),
            "data": {
                "provider": provider,
                "model": model,
                "input_tokens": input_tokens,
                "cached_input_tokens": chance.randrange(0, input_tokens),
                "output_tokens": chance.randrange(1, 1_000),
                "status": "succeeded",
                "tags": ["chat"],
                "request_id": f"{chance.getrandbits(96):024x}",
            },
        }
    )
