"""A log in memory and the read store that it folds to, for tests of the fold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from consumers.commands.handler import CommandHandler
from consumers.intake.fact_sealing import FactSealer, ScopedFacts
from consumers.intake.item_facts import GivenFacts, ItemFacts, with_facts
from domain.customers.event_facts import checked_event_facts, facts_text
from domain.event import LifecycleEvent, Provenance
from domain.log.blocks import BlockContext, block_state, encode_buffers
from domain.log.chain import CHAIN_START
from domain.log.event_codec import new_record
from domain.log.events import LOG_FORMAT, LogCreated
from domain.log.records import STAGED_BATCH_TOPIC, USAGE_BATCH_TOPIC, NewRecord
from domain.scope import DEFAULT_SCOPE, Scope
from domain.streams import LOG_STREAM, staged_stream
from domain.usage.decoding.decoder import DecodingContext, decode_body
from projections.duckdb.storage.compaction import Compaction
from projections.duckdb.storage.database import DuckDBDatabase, DuckDBOptions, create_tables
from projections.duckdb.storage.generations import GENERATION_KINDS
from projections.duckdb.writing.fold_store import DuckDBFoldStore
from projections.folding.projector import Projector
from projections.identity.index import IdentityIndex
from tests.fakes.event_log import InMemoryEventLog
from tests.fakes.personal_keys import InMemoryPersonalKeys
from tests.fakes.randomness import CountedRandomness

START = datetime(2026, 3, 1, tzinfo=UTC)
BY_TEST = Provenance("test")
SEED = 7
LOG_ID = "log-of-a-test"


def usage(event_id: str, customer: str = "acme", at: datetime = START, **data: Any) -> dict[str, Any]:
    """A usage event as a producer sends it; `data` overrides its members."""
    members = {"provider": "nowhere", "model": "m-1", "input_tokens": 1000, "output_tokens": 100} | data
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "gateway",
        "type": "llm.request",
        "subject": customer,
        "time": at.isoformat(),
        "data": {name: value for name, value in members.items() if value is not None},
    }


class WrittenLog:
    """A log that begins with its creation, the keys of its personal data, and a clock that tests move."""

    def __init__(self) -> None:
        self.now = START
        self.log = InMemoryEventLog()
        self.keys = InMemoryPersonalKeys()
        self.append(LogCreated, LOG_STREAM, log_id=LOG_ID, log_format=LOG_FORMAT, hash_seed=SEED)

    def append(self, event: type[LifecycleEvent], stream: str, **fields: Any) -> int:
        """Append a lifecycle event, recorded and effective now, and return its position."""
        defaults: dict[str, Any] = {"recorded_at": self.now, "effective_at": self.now, "provenance": BY_TEST}
        version = self.log.head_version(stream) + 1
        return self.log.append([new_record(event(stream=stream, version=version, **defaults | fields))])[0]

    def deliver(
        self,
        events: Sequence[dict[str, Any] | bytes],
        scope: Scope = DEFAULT_SCOPE,
        group: str | None = None,
        atomic: bool = False,
        stream: str = "usage/http/test",
        extra: dict[str, Any] | None = None,
        facts: Mapping[int, dict[str, Any]] | None = None,
        topic: str = USAGE_BATCH_TOPIC,
    ) -> int:
        """Append one usage batch and return its position. `facts`: the fields that its events carry, by row."""
        lines = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
        context = DecodingContext(scope, SEED, self.now)
        decoded = decode_body("application/x-ndjson", b"\n".join(lines), context, group=group, atomic=atomic)
        carried = {
            row: GivenFacts(ItemFacts(facts_text(checked_event_facts(fields))), "key_1", "respan")
            for row, fields in (facts or {}).items()
        }
        decoded, of_events = with_facts(decoded, carried, lines, context)
        sealer = FactSealer(self.log, self.keys, CountedRandomness(str(self.log.head_position())))
        sealed = sealer.sealed([ScopedFacts(scope, of_events)], self.now)
        version = self.log.head_version(stream) + 1
        block = BlockContext(scope.tenant, scope.environment, stream, version, 0, 0, self.now)
        state = block_state(block, encode_buffers(decoded.typed, decoded.free), extra, sealed.facts[0])
        return self.log.append([*sealed.records, NewRecord(stream, version, topic, state)])[-1]

    def load(self, name: str, events: Sequence[dict[str, Any] | bytes], scope: Scope = DEFAULT_SCOPE) -> int:
        """Append a block that a backfill loads, and return its position."""
        stream, extra = staged_stream(scope, name), {"backfill": name}
        return self.deliver(events, scope, stream=stream, extra=extra, topic=STAGED_BATCH_TOPIC)

    def block(self, events: Sequence[dict[str, Any]], scope: Scope, stream: str) -> bytes:
        """A usage block, which is not appended."""
        lines = b"\n".join(json.dumps(event).encode() for event in events)
        decoded = decode_body("application/x-ndjson", lines, DecodingContext(scope, SEED, self.now))
        context = BlockContext(scope.tenant, scope.environment, stream, 1, 0, 0, self.now)
        return block_state(context, encode_buffers(decoded.typed, decoded.free))

    def pass_time(self, **by: float) -> None:
        self.now += timedelta(**by)


class FoldedLog(WrittenLog):
    """A log, the commands that write to it, and a read store that `fold` brings up to it."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """`threads` bounds the threads of one statement of the read store."""
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__()
        self.commands = CommandHandler(self.log, self.keys, lambda: self.now, CountedRandomness())
        self.folder = folder
        self.database = DuckDBDatabase.open(folder / "store.duckdb", DuckDBOptions("512MB", threads))
        self.cursor = self.database.cursor()
        create_tables(self.cursor, LOG_ID, CHAIN_START)
        self.store = DuckDBFoldStore(self.cursor)
        self.index = IdentityIndex.open(folder / "identity", LOG_ID)
        self.projector = Projector(self.log, self.store, self.index, self.keys)

    def fold(self) -> None:
        """Fold everything that is in the log."""
        while self.projector.step():
            pass

    def compact(self) -> None:
        """Compact everything that is open or frozen, and merge what is of similar size."""
        cursor = self.database.cursor()
        compaction = Compaction(cursor, nullcontext, self.store.load_generations)
        for kind in GENERATION_KINDS:
            compaction.sort(kind, open_rows_min=1)
            while compaction.merge(kind, together_min=2):
                pass
        compaction.close()

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a query on the read store."""
        rows: list[tuple[Any, ...]] = self.cursor.execute(query, list(parameters)).fetchall()
        return rows

    def sums(self) -> list[tuple[Any, ...]]:
        """Events, tokens and cost per customer by the days, after asserting that the rows give the same."""
        columns = "sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT, coalesce(sum(cost_usd), 0)"
        by_days = self.ask(
            f"""SELECT customer_id, sum(events)::BIGINT, {columns}, sum(cost_unknown_events)::BIGINT
            FROM usage_days JOIN customers USING (customer_key) GROUP BY 1 HAVING sum(events) <> 0 ORDER BY 1"""
        )
        by_rows = self.ask(
            f"""SELECT customer_id, count(*), {columns}, count(*) FILTER (cost_origin = 'unknown')
            FROM usage_rows JOIN customers USING (customer_key) WHERE closed_at IS NULL GROUP BY 1 ORDER BY 1"""
        )
        assert by_days == by_rows
        return by_days

    def outcomes(self) -> list[tuple[Any, ...]]:
        """(id, outcome, reason) of what was not counted, in log order."""
        return self.ask("SELECT id, outcome, reason FROM outcomes WHERE closed_at IS NULL ORDER BY locator")

    def close(self) -> None:
        self.index.close()
        self.database.close()
