"""The revert of a backfill: each identity goes to its next claimant."""

from __future__ import annotations

from decimal import Decimal

import pytest

from domain.corrections.commands import RestoreUsage, VoidUsage
from domain.errors import CommandRefused
from domain.prices.conversion import own_price_list
from domain.prices.events import PriceSet
from domain.prices.schedule import PriceVersion, UnitPrices
from domain.scope import DEFAULT_SCOPE
from tests.projections.folded_log import BY_TEST, usage
from tests.projections.folding.backfills.conftest import Backfilled


def held(folded: Backfilled) -> list[tuple[str, int]]:
    """Identity and tokens of what counts, after asserting that days and rows agree."""
    folded.sums()
    found = folded.ask("SELECT id, input_tokens FROM usage_rows WHERE closed_at IS NULL ORDER BY id")
    return [(row[0], row[1]) for row in found]


def test_what_was_loaded_counts_no_more(folded: Backfilled) -> None:
    folded.deliver([usage("1")])
    folded.backfilled("gap", [usage("1"), usage("2"), usage("2", input_tokens=5), b"no event"])
    folded.revert("gap")
    assert (held(folded), folded.totals()) == ([("1", 1000)], (1, 0, 0, 1, 3))
    assert folded.outcomes() == [
        ("1", "withdrawn", "backfill_reverted"),
        ("2", "withdrawn", "backfill_reverted"),
        ("2", "withdrawn", "backfill_reverted"),
        (None, "rejected", "not_json"),
    ]


def test_an_identity_that_was_loaded_first_goes_to_the_first_that_repeated_it(folded: Backfilled) -> None:
    folded.backfilled("gap", [usage("1"), usage("2"), usage("3")])
    folded.deliver([usage("1", input_tokens=5), usage("1"), usage("1", input_tokens=5), usage("2")])
    folded.fold()
    assert folded.totals() == (3, 2, 2, 0, 0)
    folded.revert("gap")
    assert held(folded) == [("1", 5), ("2", 1000)]
    assert [row for row in folded.outcomes() if row[1] != "withdrawn"] == [
        ("1", "conflict", None),
        ("1", "duplicate", None),
    ]
    assert folded.totals() == (2, 1, 1, 0, 3)
    folded.deliver([usage("1"), usage("3")])
    folded.fold()
    assert (held(folded), folded.totals()) == ([("1", 5), ("2", 1000), ("3", 1000)], (3, 1, 2, 0, 3))


def test_what_a_replacement_withdrew_counts_again(folded: Backfilled) -> None:
    folded.deliver([usage("1", input_tokens=7), usage("2")])
    folded.fold()
    before = folded.sums()
    folded.backfilled("march", [usage("1"), usage("3")], "replace")
    folded.deliver([usage("1"), usage("3")])
    folded.fold()
    folded.revert("march")
    assert held(folded) == [("1", 7), ("2", 1000), ("3", 1000)]
    assert folded.totals() == (3, 0, 1, 0, 2)
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "3"))
    folded.fold()
    assert folded.sums() == before


def test_the_told_difference_includes_what_events_cost_whose_price_was_set_while_they_were_withdrawn(
    folded: Backfilled,
) -> None:
    folded.deliver([usage("1"), usage("2"), usage("3", model="of no price"), usage("4", cost_usd="0.5")])
    folded.backfilled("march", [usage("5", cost_usd="7")], "replace")
    prices = own_price_list(PriceVersion(None, UnitPrices(Decimal(2000), Decimal(0))))
    of_model = {"provider": "nowhere", "model": "m-1", "prices": prices}
    of_default = {"tenant": DEFAULT_SCOPE.tenant, "environment": DEFAULT_SCOPE.environment}
    folded.append(PriceSet, "price/of-test", **of_default, **of_model)
    folded.revert("march")
    assert folded.sums() == [("acme", 4, 4000, 400, Decimal("4.5"), 1)]
    told = folded.ask("SELECT kind, difference_usd, cost_unknown_events FROM backfills ORDER BY position DESC LIMIT 2")
    assert told == [("backfill.reverted", Decimal("-2.5"), 1), ("backfill.committed", Decimal("6.5"), -3)]


def test_an_event_that_was_voided_meanwhile_stays_void(folded: Backfilled) -> None:
    folded.deliver([usage("1"), usage("2"), usage("3")])
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    folded.backfilled("march", [usage("4")], "replace")
    folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "2"))
    folded.fold()
    folded.revert("march")
    assert held(folded) == [("3", 1000)]
    folded.commands.handle(RestoreUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    folded.commands.handle(RestoreUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "2"))
    folded.fold()
    assert held(folded) == [("1", 1000), ("2", 1000), ("3", 1000)]


def test_a_void_of_a_loaded_event_holds_for_the_next_claimant_and_waits_for_one(folded: Backfilled) -> None:
    folded.backfilled("gap", [usage("1"), usage("2")])
    folded.deliver([usage("1")])
    for name in ("1", "2"):
        folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", name))
    folded.fold()
    folded.revert("gap")
    folded.deliver([usage("2")])
    folded.fold()
    assert held(folded) == []
    assert folded.totals() == (2, 0, 0, 0, 2)


def test_backfills_over_the_same_range_are_reverted_in_turn(folded: Backfilled) -> None:
    folded.deliver([usage("1", input_tokens=1)])
    folded.backfilled("first", [usage("1", input_tokens=2), usage("a")], "replace")
    folded.backfilled("second", [usage("1", input_tokens=3)], "replace")
    with pytest.raises(CommandRefused, match="'second' was committed later and overlaps: revert it first"):
        folded.revert("first")
    assert held(folded) == [("1", 3)]
    folded.revert("second")
    assert held(folded) == [("1", 2), ("a", 1000)]
    folded.revert("first")
    assert (held(folded), folded.totals()) == ([("1", 1)], (1, 0, 0, 0, 3))


def test_a_range_that_was_reverted_can_be_replaced_again(folded: Backfilled) -> None:
    folded.deliver([usage("1", input_tokens=1)])
    folded.backfilled("first", [usage("1", input_tokens=2)], "replace")
    folded.revert("first")
    folded.backfilled("again", [usage("1", input_tokens=2)], "replace")
    assert (held(folded), folded.totals()) == ([("1", 2)], (1, 0, 0, 0, 2))


def test_a_second_replacement_may_bring_back_what_the_first_left_out(folded: Backfilled) -> None:
    folded.deliver([usage("1", input_tokens=1), usage("2")])
    folded.backfilled("first", [usage("2", input_tokens=2)], "replace")
    folded.backfilled("second", [usage("1", input_tokens=3), usage("2", input_tokens=3)], "replace")
    assert held(folded) == [("1", 3), ("2", 3)]
    folded.revert("second")
    assert held(folded) == [("2", 2)]
    folded.deliver([usage("1", input_tokens=3)])
    folded.fold()
    assert (held(folded), folded.totals()) == ([("2", 2)], (1, 0, 1, 0, 4))
