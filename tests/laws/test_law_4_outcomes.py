"""Law 4: counted + duplicate + conflict + rejected = received, per source, computed from the log alone."""

from __future__ import annotations

from collections import Counter

from hypothesis import given

from consumers.engine import OperationResult
from domain.log.blocks import read_header
from domain.log.records import USAGE_BATCH_TOPIC
from domain.scope import Scope
from domain.usage.outcomes import OutcomeCounts
from tests.laws.histories import Step, histories, live_through
from tests.laws.laboratory import JsonObject, Laboratory, examples

RECORDS_MAX = 100_000


def received_per_stream(laboratory: Laboratory, scope: Scope) -> dict[str, int]:
    received: Counter[str] = Counter()
    for record in laboratory.engine.log.read(0, RECORDS_MAX):
        if record.topic == USAGE_BATCH_TOPIC and read_header(record.state).scope == scope:
            received[record.stream] += read_header(record.state).count
    return dict(received)


def ended_per_stream(laboratory: Laboratory, scope: Scope) -> dict[str, OutcomeCounts]:
    with laboratory.engine.reads.snapshot() as snapshot:
        return {found.stream: found.counts for found in snapshot.source_counts(scope)}


def summed(receipts: list[JsonObject]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for receipt in receipts:
        sums.update({outcome: number for outcome, number in receipt["counts"].items() if number})
    return sums


@examples(10)
@given(steps=histories())
def test_what_was_received_ended_in_exactly_one_outcome(laboratory: Laboratory, steps: list[Step]) -> None:
    tenant = laboratory.tenant()
    receipts = live_through(laboratory, tenant, steps)
    ended = ended_per_stream(laboratory, tenant.scope)
    assert {stream: counts.received for stream, counts in ended.items()} == received_per_stream(
        laboratory, tenant.scope
    )
    answered = summed(receipts)
    whole = OutcomeCounts()
    for counts in ended.values():
        whole = whole.plus(counts)
    assert whole == OutcomeCounts(*(answered[outcome] for outcome in ("counted", "duplicate", "conflict", "rejected")))
    assert [step.operation for step in laboratory.engine.replay() if isinstance(step, OperationResult)] == ["replay"]
    assert ended_per_stream(laboratory, tenant.scope) == ended
