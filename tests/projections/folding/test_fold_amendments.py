"""Amendments folded: sums and outcomes follow them, after a restart too, and one of no event has no effect."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.corrections.commands import VoidUsage
from domain.corrections.events import UsageAmended
from domain.log.amendments import AmendUsage
from domain.scope import DEFAULT_SCOPE
from domain.usage.amending.patches import EventPatch
from domain.usage.decoding.decoder import DecodingContext
from domain.usage.locators import locator_of
from projections.folding.event_lookup import EventLookup
from projections.folding.projector import Projector
from tests.projections.folded_log import BY_TEST, SEED, START, FoldedLog, usage


@pytest.fixture
def log(tmp_path: Path) -> Iterator[FoldedLog]:
    opened = FoldedLog(tmp_path)
    yield opened
    opened.close()


def amend(log: FoldedLog, position: int, event_id: str, customer: str | None = None, **data: Any) -> int | None:
    """Amend the first event of the block at a position."""
    original = EventLookup(log.log).row(locator_of(position, 0))
    assert original is not None
    rules = DecodingContext(DEFAULT_SCOPE, SEED, START)
    patch = EventPatch(data, customer)
    return log.commands.handle(AmendUsage(DEFAULT_SCOPE, BY_TEST, "gateway", event_id, original, patch, rules)).position


def test_the_sums_follow_an_amended_event_to_its_customer(log: FoldedLog) -> None:
    position = log.deliver([usage("1", cost_usd="1"), usage("2", cost_usd="1")])
    amend(log, position, "1", "beta", input_tokens=7, cost_usd="0.5")
    log.fold()
    assert log.sums() == [
        ("acme", 1, 1000, 100, Decimal("1.000000000000"), 0),
        ("beta", 1, 7, 100, Decimal("0.500000000000"), 0),
    ]


def test_a_second_amendment_changes_the_first(log: FoldedLog) -> None:
    position = log.deliver([usage("1", cost_usd="1")])
    amend(log, position, "1", input_tokens=7)
    amend(log, position, "1", "beta")
    assert amend(log, position, "1", input_tokens=7) is None
    log.fold()
    assert log.sums() == [("beta", 1, 7, 100, Decimal("1.000000000000"), 0)]


def test_a_block_has_the_version_that_its_content_needs(log: FoldedLog) -> None:
    position = log.deliver([usage("1")])
    for units, magic in (({}, b"MFB1"), ({"own": 1}, b"MFB3")):
        amended = amend(log, position, "1", input_tokens=7, units=units)
        assert amended is not None
        event = log.log.read(amended - 1, 1)[0]
        assert magic in event.state


def test_after_a_restart_every_content_is_still_a_duplicate(log: FoldedLog) -> None:
    position = log.deliver([usage("1", cost_usd="1")])
    amend(log, position, "1", "beta", input_tokens=7)
    log.fold()
    restarted = Projector(log.log, log.store, log.index, log.keys)
    restarted.restore_seed(SEED)
    sent = [usage("1", cost_usd="1"), usage("1", "beta", cost_usd="1", input_tokens=7), usage("1", cost_usd="2")]
    log.deliver(sent)
    log.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    while restarted.step():
        pass
    assert [outcome for _, outcome, _ in log.outcomes()] == ["duplicate", "duplicate", "conflict"]
    assert log.sums() == []


def test_an_amendment_of_an_event_that_was_not_counted_has_no_effect(log: FoldedLog) -> None:
    log.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    block = log.block([usage("1", cost_usd="5")], DEFAULT_SCOPE, "correction/1")
    of_scope = {"tenant": "default", "environment": "prod", "source": "gateway", "id": "1"}
    log.append(UsageAmended, "correction/1", **of_scope, block=block, changed=())
    log.fold()
    assert log.ask("SELECT count(*) FROM amendments") == [(0,)]
    assert log.ask("SELECT kind FROM corrections ORDER BY position") == [("usage.voided",), ("usage.amended",)]
    assert log.store.load_state().waiting_voids == {(1, "gateway", "1")}
    log.deliver([usage("1", cost_usd="1")])
    log.fold()
    assert log.sums() == []
