"""What was prepared of a commit or revert is attached by the fold, unless something has made it another meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from domain.corrections.commands import VoidUsage
from domain.corrections.events import UsageAmended
from domain.customers.commands import CreateCustomer
from domain.prices.conversion import price_list_of
from domain.prices.events import PriceListed
from domain.prices.schedule import PriceVersion, UnitPrices
from domain.scope import DEFAULT_SCOPE
from domain.usage.amending.amended_event import MemberChange
from projections.folding.backfill_store import PreparedTables
from projections.folding.backfills.committing import Claimed
from projections.folding.backfills.prepared import PreparedChanges, PreparedCommit
from projections.folding.fold_state import NewKeys
from tests.projections.folded_log import BY_TEST, START, usage
from tests.projections.folding.backfills.conftest import Backfilled
from tests.projections.folding.backfills.prepared_log import Prepared


@pytest.fixture
def folded(tmp_path: Path) -> Iterator[Prepared]:
    log = Prepared(tmp_path / "read")
    yield log
    log.close()


def opened(folded: Backfilled) -> None:
    folded.deliver([usage("live")])
    folded.open("gap")
    folded.load("gap", [usage("1"), usage("2", "new", model="m-7"), usage("live", input_tokens=5)])


def counts(folded: Prepared) -> list[tuple[str, int]]:
    """Events of each customer, after asserting that days and rows agree."""
    return [(row[0], row[1]) for row in folded.sums()]


def test_a_commit_and_its_revert_attach_what_was_prepared(folded: Prepared) -> None:
    opened(folded)
    folded.commit("gap")
    assert (counts(folded), folded.totals(), folded.attached) == (
        [("acme", 2), ("new", 1)],
        (3, 0, 1, 0, 0),
        1,
    )
    folded.revert("gap")
    assert (counts(folded), folded.totals(), folded.attached) == ([("acme", 1)], (1, 0, 0, 0, 3), 2)


def test_a_replacement_and_its_revert_attach_what_was_prepared(folded: Prepared) -> None:
    folded.deliver([usage("1"), usage("2", "other"), usage("3", units={"pages": 2})])
    folded.open("gap", "replace")
    folded.load("gap", [usage("1", "new"), usage("4", units={"pages": 3})])
    folded.commit("gap")
    assert (counts(folded), folded.attached) == ([("acme", 1), ("new", 1)], 1)
    folded.revert("gap")
    assert (counts(folded), folded.attached) == ([("acme", 2), ("other", 1)], 2)
    assert folded.ask("SELECT unit, sum(quantity)::INT FROM unit_days GROUP BY unit") == [("pages", 2)]


def test_positions_and_instants_are_those_of_the_commit_and_not_of_its_preparation(folded: Prepared) -> None:
    opened(folded)
    folded.meanwhile = lambda: folded.pass_time(minutes=3)
    position = folded.commit("gap")
    then = (START + timedelta(minutes=3)).replace(tzinfo=None)
    assert folded.ask("SELECT id, counted_at, recorded_at FROM usage_rows WHERE id IN ('1', '2') ORDER BY id") == [
        ("1", position, then),
        ("2", position, then),
    ]
    assert folded.ask("SELECT id, decided_at, recorded_at FROM outcomes") == [("live", position, then)]


def test_customers_and_series_that_came_meanwhile_keep_their_keys(folded: Prepared) -> None:
    opened(folded)
    live = [usage("5", "first", model="m-9"), usage("6", "second", model="m-8"), usage("7", "new")]
    folded.meanwhile = lambda: folded.deliver(live)
    folded.commit("gap")
    assert folded.attached == 1
    assert counts(folded) == [("acme", 2), ("first", 1), ("new", 2), ("second", 1)]
    assert folded.ask(
        """SELECT r.id, customer_id, model FROM usage_rows r JOIN customers USING (customer_key)
        JOIN kinds USING (kind_key) ORDER BY r.id"""
    ) == [
        ("1", "acme", "m-1"),
        ("2", "new", "m-7"),
        ("5", "first", "m-9"),
        ("6", "second", "m-8"),
        ("7", "new", "m-1"),
        ("live", "acme", "m-1"),
    ]


def voided(folded: Backfilled) -> object:
    return folded.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))


def priced(folded: Backfilled) -> object:
    prices = price_list_of([PriceVersion(None, UnitPrices(Decimal(1), Decimal(1)))])
    return folded.append(
        PriceListed, "price-list/1", provider="nowhere", model="m-1", matched="m", prices=prices, library="test 1"
    )


def amended(folded: Backfilled) -> object:
    stream = "correction/default/amended/live"
    block = folded.block([usage("live", "new")], DEFAULT_SCOPE, stream)
    change = (MemberChange("subject", '"acme"', '"new"'),)
    event = {"tenant": "default", "environment": "live", "source": "gateway", "id": "live"}
    return folded.append(UsageAmended, stream, **event, block=block, changed=change)


def taken_live(folded: Backfilled) -> object:
    return folded.deliver([usage("1", "else")])


Meanwhile = Callable[[Backfilled], object]


@pytest.mark.parametrize("meanwhile", [voided, priced, amended, taken_live])
def test_a_commit_that_something_has_changed_meanwhile_is_worked_out_by_the_fold(
    folded: Prepared, tmp_path: Path, meanwhile: Meanwhile
) -> None:
    plain = Backfilled(tmp_path / "plain")
    for log in (folded, plain):
        opened(log)
    at = plain.log.head_position()
    folded.meanwhile = lambda: meanwhile(folded)
    folded.commit("gap", at)
    meanwhile(plain)
    plain.commit("gap", at)
    assert folded.attached == 0
    assert (folded.sums(), folded.totals(), folded.outcomes()) == (plain.sums(), plain.totals(), plain.outcomes())
    plain.close()


@pytest.mark.parametrize("meanwhile", [voided, priced, amended])
def test_so_is_a_revert(folded: Prepared, tmp_path: Path, meanwhile: Meanwhile) -> None:
    plain = Backfilled(tmp_path / "plain")
    for log in (folded, plain):
        opened(log)
        log.commit("gap")
    folded.meanwhile = lambda: meanwhile(folded)
    folded.revert("gap")
    meanwhile(plain)
    plain.revert("gap")
    assert folded.attached == 1
    assert (folded.sums(), folded.totals(), folded.outcomes()) == (plain.sums(), plain.totals(), plain.outcomes())
    plain.close()


def test_a_live_event_that_repeats_a_loaded_one_counts_after_a_revert_that_was_prepared(folded: Prepared) -> None:
    opened(folded)
    folded.commit("gap")
    folded.meanwhile = lambda: folded.deliver([usage("1", "else")])
    folded.revert("gap")
    assert (counts(folded), folded.attached) == ([("acme", 1), ("else", 1)], 2)


def test_facts_about_customers_and_usage_of_others_do_not_keep_a_commit_from_being_attached(folded: Prepared) -> None:
    opened(folded)
    created = CreateCustomer(DEFAULT_SCOPE, BY_TEST, "acme", {"name": "Acme"})
    folded.meanwhile = lambda: (folded.commands.handle(created), folded.deliver([usage("8", "else")]))
    folded.commit("gap")
    assert (counts(folded), folded.attached) == ([("acme", 2), ("else", 1), ("new", 1)], 1)


def test_a_commit_with_a_voided_event_is_left_to_the_fold(folded: Prepared) -> None:
    voided(folded)
    opened(folded)
    folded.commit("gap")
    assert (counts(folded), folded.attached) == ([("acme", 1), ("new", 1)], 0)


def test_a_change_is_taken_once_and_for_its_own_record_alone() -> None:
    def prepared() -> PreparedChanges:
        changes = PreparedChanges()
        changes.begin()
        assert changes.keep(READY)
        return changes

    assert prepared().take_commit(1, "gap", 7, 2) is READY
    for scope_key, name, previewed_at, blocks in [
        (2, "gap", 7, 2),
        (1, "else", 7, 2),
        (1, "gap", 8, 2),
        (1, "gap", 7, 3),
    ]:
        assert prepared().take_commit(scope_key, name, previewed_at, blocks) is None
    assert prepared().take_revert(1, "gap") is None
    once = prepared()
    once.take_commit(1, "gap", 7, 2)
    assert once.take_commit(1, "gap", 7, 2) is None
    given_up = prepared()
    given_up.give_up()
    assert given_up.take_commit(1, "gap", 7, 2) is None


def test_nothing_is_kept_that_was_not_begun() -> None:
    assert not PreparedChanges().keep(READY)


NO_TABLES = PreparedTables(None, "days_1", None, None, np.array([], dtype=np.int64))
READY = PreparedCommit(1, "gap", 7, 2, Claimed(), NO_TABLES, NewKeys())
