"""The result does not depend on how records are split into polls, nor the log into steps of the fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.log.records import NewRecord
from domain.scope import DEFAULT_SCOPE
from projections.duckdb.reading.snapshot import DuckDBReads
from projections.duckdb.verification.comparison import LOGICAL_VIEWS, inner_differences, logical_view
from projections.queries.log import SourceCounts
from projections.views.history_entries import history_entries
from tests.consumers.kafka.appending.partition_polls import Sent, appender_on, command, event, poll
from tests.projections.folded_log import FoldedLog

_customers = st.sampled_from(["acme", "globex", "hooli"])
_usage = st.builds(
    lambda number, customer, tokens: event(f"e-{number}", customer, input_tokens=tokens, cost_usd=f"0.{tokens}"),
    st.integers(0, 8),
    _customers,
    st.integers(1, 3),
)
_commands = st.builds(
    command,
    st.sampled_from(
        [
            "customer.create",
            "customer.block",
            "customer.unblock",
            "customer.deactivate",
            "customer.delete",
            "customer.oops",
        ]
    ),
    _customers,
    st.none() | st.integers(0, 12).map(str),
) | st.builds(
    lambda name, customer, number: command("customer.update", customer, f"u-{number}", name=name),
    st.sampled_from(["Ada", "Grace"]),
    _customers,
    st.integers(0, 5),
)
_records: st.SearchStrategy[list[Sent]] = st.lists(st.one_of(_usage, _usage, _commands, st.just(b"oops")), max_size=30)


@contextmanager
def folded() -> Iterator[FoldedLog]:
    with TemporaryDirectory() as folder:
        one = FoldedLog(Path(folder) / "read")
        try:
            yield one
        finally:
            one.close()


def consume(one: FoldedLog, sent: Sequence[Sent], cuts: Sequence[int]) -> None:
    appender = appender_on(one.log, one.keys)
    starts = sorted({0, *(cut for cut in cuts if 0 < cut < len(sent))})
    for start, end in zip(starts, [*starts[1:], len(sent)], strict=True):
        appender.append(poll(sent[start:end], start))


def outcome_of(one: FoldedLog) -> dict[str, Any]:
    """What must not depend on polls, so without positions."""
    with DuckDBReads(one.database.cursor).snapshot() as snapshot:
        customers = snapshot.customers(DEFAULT_SCOPE, None, 100)
        states = {
            record.customer_id: [
                (fact.kind, fact.effective_at, fact.fields, fact.reason)
                for fact in history_entries(record)
                if fact.position
            ]
            for record in customers
        }
        counts: list[SourceCounts] = snapshot.source_counts(DEFAULT_SCOPE)
        sources = [
            (found.stream, found.next_offset, found.records_lost, found.commands_refused)
            for found in snapshot.sources(None, 10)
        ]
    standing = one.ask("SELECT id, customer_id, time, input_tokens FROM usage_rows JOIN customers USING (customer_key)")
    return {"sums": one.sums(), "states": states, "counts": counts, "sources": sources, "standing": sorted(standing)}


def views(one: FoldedLog) -> dict[str, list[Any]]:
    catalog = one.ask("SELECT current_database()")[0][0]
    assert list(inner_differences(one.cursor, catalog)) == []
    found = {name: one.ask(f"FROM ({logical_view(one.cursor, name, catalog)})") for name in LOGICAL_VIEWS}
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


@settings(deadline=None, max_examples=25)
@given(sent=_records, cuts=st.lists(st.integers(0, 30), max_size=6))
def test_any_split_into_polls_gives_the_same_totals_and_customers(sent: list[Sent], cuts: list[int]) -> None:
    with folded() as whole, folded() as split:
        consume(whole, sent, [])
        consume(split, sent, cuts)
        whole.fold()
        split.fold()
        assert outcome_of(split) == outcome_of(whole)


@settings(deadline=None, max_examples=25)
@given(sent=_records, cuts=st.lists(st.integers(0, 30), max_size=6), steps=st.lists(st.integers(1, 60), max_size=8))
def test_any_split_into_steps_of_the_fold_gives_the_same_views(
    sent: list[Sent], cuts: list[int], steps: list[int]
) -> None:
    with folded() as whole, folded() as stepwise:
        consume(whole, sent, cuts)
        whole.fold()
        stepwise.log.append(
            [NewRecord(one.stream, one.version, one.topic, one.state) for one in whole.log.read(1, 10_000)]
        )
        stepwise.keys.keys |= whole.keys.keys
        for until in sorted(steps):
            while stepwise.projector.step(until):
                pass
        stepwise.fold()
        assert views(stepwise) == views(whole)
