"""The conformance suite of fold stores: transactions, versions of rows, and everything else that the fold stores."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from domain.backfills.backfill_range import BackfillRange
from domain.correction_runs.event_filter import CorrectedEvents
from domain.correction_runs.set_members import SetMembers
from domain.customers.events import CUSTOMER_DELETED
from domain.log.chain import CHAIN_START
from domain.prices.conversion import own_price_list, price_list_of
from domain.prices.price_list import Minimum, PriceList, StandardRule, UnitRate, VariantRule
from domain.prices.schedule import PriceTier, PriceVersion, UnitPrices
from domain.repricings.repricing_range import RepricingRange
from domain.usage.locators import locator_of
from domain.values.instants import epoch_microseconds
from projections.folding.backfill_store import NewBackfill, NewStagedBlock
from projections.folding.fold_store import FoldStore
from projections.folding.lifecycle_writes import (
    FactOwner,
    NewAmendment,
    NewApiKey,
    NewCorrection,
    NewCorrectionRun,
    NewDiscount,
    NewFact,
    NewPrice,
    NewRepricing,
    SourceProgress,
)
from projections.folding.staged_tables import UNKNOWN_COST_ROWS
from tests.fakes.in_memory_amendments import Row
from tests.projections.folded_log import LOG_ID
from tests.projections.folding.fold_store_contents import Contents
from tests.projections.folding.fold_store_under_test import IMPLEMENTATIONS, FoldStoreUnderTest
from tests.projections.folding.fold_store_writes import (
    CUSTOMERS,
    SCOPES,
    SERIES,
    START,
    add,
    add_outcomes,
    day_of,
    event,
    log_record,
    outcome,
    price,
    recorded_at,
    running_hash,
    scope_of,
    shown,
    shown_price,
    step,
    unit_days_of,
    units,
    unknown_cost,
)

HOSTILE = "'; DROP TABLE usage_rows; --\u0000\U0001f980"


@pytest.fixture(params=IMPLEMENTATIONS)
def under_test(request: pytest.FixtureRequest) -> Iterator[FoldStoreUnderTest]:
    opened = IMPLEMENTATIONS[request.param]()
    yield opened
    opened.close()


@pytest.fixture
def store(under_test: FoldStoreUnderTest) -> FoldStore:
    return under_test.store


def rows_and_days(under_test: FoldStoreUnderTest) -> tuple[list[Row], list[Row]]:
    """The versions of events by locator and age, and the day sums by customer."""
    contents = under_test.contents()
    closed_last = 2**62
    return (
        sorted(
            contents["usage rows"],
            key=lambda row: (row["locator"], row["counted_at"], row["closed_at"] or closed_last),
        ),
        sorted(contents["usage days"], key=lambda row: (row["tenant"], row["customer_id"], row["type"])),
    )


def unit_days(under_test: FoldStoreUnderTest) -> list[Row]:
    """The sums of units, by unit."""
    return sorted(under_test.contents()["unit days"], key=lambda row: str(row["unit"]))


def correction(kind: str, position: int, event_id: str = "e-1-0", scope_key: int = 1) -> NewCorrection:
    return NewCorrection(scope_key, "gateway", event_id, kind, position, recorded_at(position), "key-1", "by mistake")


def amendment(position: int) -> NewAmendment:
    """An amendment of the first event, which takes it from the first customer to the second one."""
    changed = '[{"member":"subject","before":"\\"acme\\"","after":null}]'
    where = {"scope_key": 1, "locator": locator_of(1, 0), "position": position}
    return NewAmendment(
        **where,
        customer_key=2,
        customer_key_before=1,
        time=START,
        content=2**64 - 1,
        changed=changed,
        recorded_at=recorded_at(position),
    )


def shown_amendment(new: NewAmendment) -> Row:
    row = {name: value for name, value in msgspec.structs.asdict(new).items() if not name.endswith(("key", "before"))}
    return scope_of(1) | row | {"customer_id": "c/ç", "customer_id_before": "acme"}


def fact(owner: FactOwner, position: int, **fields: Any) -> NewFact:
    effective_at = recorded_at(position) - timedelta(days=1)
    by = ("key-1", "native", None)
    return NewFact(
        owner, position, effective_at, recorded_at(position), "x.updated", fields, *by, ("name",), if_known=True
    )


def about(subject: str, scope_key: int, of: str) -> Row:
    return scope_of(scope_key) | {"subject": subject, "id": of, "customer_id": None}


def about_customer(scope_key: int, name: str) -> Row:
    return scope_of(scope_key) | {"subject": "customer", "id": None, "customer_id": name}


def shown_fact(position: int, owner: Row, **fields: Any) -> Row:
    instants = {"effective_at": recorded_at(position) - timedelta(days=1), "recorded_at": recorded_at(position)}
    told: dict[str, Any] = {
        "kind": "x.updated",
        "fields": fields,
        "actor": "key-1",
        "dialect": "native",
        "reason": None,
    }
    told |= {"patched": ["name"], "if_known": True}
    return owner | {"position": position} | instants | told


# -- transactions and progress


def test_an_empty_store_has_folded_nothing(under_test: FoldStoreUnderTest, store: FoldStore) -> None:
    assert store.reached() == (0, CHAIN_START)
    assert store.running_hash_at(0) is None
    state = store.load_state()
    assert (state.log_id, state.position, state.running_hash, state.recorded_at) == (LOG_ID, 0, CHAIN_START, None)
    assert (state.scope_keys, state.kind_keys, state.customer_keys, state.waiting_voids) == ({}, {}, {}, set())
    assert [view for view, rows in under_test.contents().items() if rows] == ["progress"]


WITH_UNITS = event(1, 0, **units(web_searches="2", own="0.000000000001"))


CORRECTION = NewCorrectionRun(
    1,
    HOSTILE,
    "correction_run.opened",
    1,
    START,
    "key-1",
    "a test key",
    "void",
    CorrectedEvents(tags=(HOSTILE,)),
    SetMembers(add_tags=(HOSTILE,)),
)
RUN = NewRepricing(
    1, HOSTILE, "repricing.opened", 1, START, "key-1", "wrong price", RepricingRange(("m-1",), "", ("acme",), START)
)


BACKFILL = NewBackfill(
    1, HOSTILE, "backfill.opened", 1, START, "key-1", "a gap", BackfillRange(START, recorded_at(9), ("acme",)), "add"
)


def write_one_of_each(store: FoldStore) -> None:
    """Everything that a step may write, into the open transaction."""
    add(store, WITH_UNITS)
    add_outcomes(store, outcome(1, 1))
    for owner in (FactOwner("customer", 2, None, 3), FactOwner("budget", 1, "tier"), FactOwner("meter", 2, "disk")):
        store.add_fact(fact(owner, 1, name=HOSTILE, limit=None))
    store.add_correction(correction("usage.voided", 1, "later"))
    store.add_amendment(amendment(1))
    store.add_price(NewPrice(1, 1, "nowhere", "m-1", PriceList((StandardRule({}),)), None, START, "key-1"))
    store.add_correction_run(CORRECTION)
    store.add_repricing(RUN)
    store.add_backfill(BACKFILL)
    store.add_staged_block(NewStagedBlock(1, HOSTILE, 1, START, 3, 1))
    store.add_discount(NewDiscount(1, 2, HOSTILE, START, "", "m-1", Decimal("12.5"), None, START, "key-1"))
    store.add_api_key(NewApiKey("key-1", 1, ("ingest", "read"), "mf_1", "00ff", None, START, 1, ("test",)))
    store.update_source(SourceProgress("usage/kafka/a/b/0", "usage", 0, 7, 1, START, 2, 1))


EVERYTHING: Contents = {
    "progress": [
        {"name": "progress", "log_id": LOG_ID, "position": 1}
        | {"recorded_at": recorded_at(1), "running_hash": running_hash(1)}
    ],
    "log records": [shown(log_record(1))],
    "customers": [
        scope_of(scope_key) | {"customer_id": name, "first_position": 1} for scope_key, name in CUSTOMERS.values()
    ],
    "facts": [
        shown_fact(1, owner, name=HOSTILE, limit=None)
        for owner in (about_customer(2, "acme"), about("budget", 1, "tier"), about("meter", 2, "disk"))
    ],
    "api keys": [
        scope_of(1)
        | {
            "key_id": "key-1",
            "scopes": (("ingest", "read"), ("test",)),
            "prefix": "mf_1",
            "secret_hash": "00ff",
            "name": None,
        }
        | {"issued_at": START, "issued_position": 1, "revoked_at": None}
    ],
    "prices": [
        scope_of(1)
        | {
            "position": 1,
            "provider": "nowhere",
            "model": "m-1",
            "prices": PriceList((StandardRule({}),)),
            "library": None,
        }
        | {"recorded_at": START, "actor": "key-1", "customer_id": None, "life_began_at": None}
    ],
    "discounts": [
        scope_of(2)
        | {"position": 1, "customer_id": HOSTILE, "life_began_at": START, "provider": "", "model": "m-1"}
        | {"percentage": Decimal("12.5"), "effective_from": None, "recorded_at": START, "actor": "key-1"}
    ],
    "corrections": [
        scope_of(1)
        | {"source": "gateway", "id": "later", "kind": "usage.voided", "position": 1}
        | {"recorded_at": recorded_at(1), "actor": "key-1", "reason": "by mistake"}
    ],
    "correction runs": [
        scope_of(1)
        | {"name": HOSTILE, "kind": "correction_run.opened", "position": 1, "recorded_at": START, "actor": "key-1"}
        | {"reason": "a test key", "action": "void", "filter": CorrectedEvents(tags=(HOSTILE,))}
        | {"members": SetMembers(add_tags=(HOSTILE,)), "previewed_at": None, "events": 0, "difference_usd": Decimal(0)}
        | {"cost_unknown_events": 0}
    ],
    "replacements": [],
    "corrected events": [],
    "repricings": [
        scope_of(1)
        | {"name": HOSTILE, "kind": "repricing.opened", "position": 1, "recorded_at": START, "actor": "key-1"}
        | {"reason": "wrong price", "range": RepricingRange(("m-1",), "", ("acme",), START)}
        | {"previewed_at": None, "events": 0, "difference_usd": Decimal(0)}
    ],
    "backfills": [
        scope_of(1)
        | {"name": HOSTILE, "kind": "backfill.opened", "position": 1, "recorded_at": START, "actor": "key-1"}
        | {"reason": "a gap", "range": BackfillRange(START, recorded_at(9), ("acme",)), "mode": "add"}
        | {"previewed_at": None, "blocks": None, "counted": 0, "duplicate": 0, "conflict": 0, "withdrawn": 0}
        | {"difference_usd": Decimal(0), "cost_unknown_events": 0}
    ],
    "staged blocks": [scope_of(1) | {"name": HOSTILE, "position": 1, "recorded_at": START, "events": 3, "rejected": 1}],
    "amendments": [shown_amendment(amendment(1))],
    "sources": [
        {"stream": "usage/kafka/a/b/0", "topic": "usage", "partition_number": 0, "next_offset": 7}
        | {"records_lost": 2, "commands_refused": 1, "position": 1, "recorded_at": START}
    ],
    "outcomes": [shown(outcome(1, 1), closed_at=None)],
    "usage rows": [shown(WITH_UNITS)],
    "usage days": [day_of(event(1, 0))],
    "unit days": unit_days_of(WITH_UNITS, web_searches="2", own="0.000000000001"),
}


def test_a_step_is_visible_once_it_is_committed_and_then_whole(
    under_test: FoldStoreUnderTest, store: FoldStore
) -> None:
    empty = under_test.contents()
    with step(store, 1):
        write_one_of_each(store)
        assert under_test.contents() == empty
    contents = under_test.contents()
    contents["customers"].sort(key=lambda row: (row["tenant"], row["customer_id"]))
    contents["unit days"].sort(key=lambda row: str(row["unit"]))
    assert contents == EVERYTHING


def test_a_rollback_leaves_nothing_and_the_step_can_be_repeated(
    under_test: FoldStoreUnderTest, store: FoldStore
) -> None:
    empty = under_test.contents()
    store.begin()
    write_one_of_each(store)
    store.rollback()
    store.rollback()  # without an open transaction
    assert under_test.contents() == empty
    assert store.load_state().customer_keys == {}
    with step(store, 1):
        write_one_of_each(store)
    assert under_test.contents()["usage days"] == [day_of(event(1, 0))]
    assert store.reached() == (1, running_hash(1))


def test_a_rollback_undoes_changes_of_earlier_rows(under_test: FoldStoreUnderTest, store: FoldStore) -> None:
    with step(store, 1):
        add(store, event(1, 0), unknown_cost(1, 1))
    before = under_test.contents()
    store.begin()
    store.close_row(1, locator_of(1, 0), 2)
    price(store, 2, (unknown_cost(1, 1), "5"))
    store.rollback()
    assert under_test.contents() == before


def test_the_state_of_the_last_committed_step_is_loaded(store: FoldStore) -> None:
    with step(store, 1):
        add(store, event())
    with step(store, 2):
        pass
    state = store.load_state()
    assert (state.position, state.running_hash, state.recorded_at) == (2, running_hash(2), recorded_at(2))
    assert state.scope_keys == {scope: key for key, scope in SCOPES.items()}
    assert state.kind_keys == {series: key for key, series in SERIES.items()}
    assert state.customer_keys == {name: key for key, name in CUSTOMERS.items()}
    assert store.reached() == (2, running_hash(2))


def test_running_hashes_are_those_of_folded_positions(store: FoldStore) -> None:
    for position in (1, 2):
        with step(store, position):
            pass
    assert [store.running_hash_at(position) for position in range(4)] == [None, running_hash(1), running_hash(2), None]


# -- usage


def test_a_closed_row_counts_no_more_and_stays_as_it_was(under_test: FoldStoreUnderTest, store: FoldStore) -> None:
    closed, other = event(1, 0, input_tokens=7), event(1, 1)
    with step(store, 1):
        add(store, closed, other)
    for position in (2, 3):  # the second time changes nothing
        with step(store, position):
            store.close_row(1, closed["locator"], position)
    assert rows_and_days(under_test) == ([shown(closed, closed_at=2), shown(other)], [day_of(other)])


def test_a_reopened_row_is_a_new_version_equal_to_the_last(under_test: FoldStoreUnderTest, store: FoldStore) -> None:
    row = event(1, 0, kind_key=2, customer_key=2)
    with step(store, 1):
        add(store, row)
    for position in (2, 4):
        with step(store, position):
            store.close_row(2, row["locator"], position)
        with step(store, position + 1):
            assert store.reopen_row(2, row["locator"], position + 1) == 2
            assert store.reopen_row(2, row["locator"], position + 1) is None
    assert rows_and_days(under_test) == (
        [shown(row, closed_at=2), shown(row, counted_at=3, closed_at=4), shown(row, counted_at=5)],
        [day_of(row)],
    )


def test_a_row_that_was_never_added_cannot_be_reopened(store: FoldStore) -> None:
    store.begin()
    with pytest.raises(LookupError):
        store.reopen_row(1, 77, 2)
    store.rollback()


def test_a_row_that_arrives_closed_counts_from_when_it_is_reopened(
    under_test: FoldStoreUnderTest, store: FoldStore
) -> None:
    voided = event(1, 0, closed_at=1)
    with step(store, 1):
        add(store, voided)
    assert rows_and_days(under_test) == ([shown(voided)], [])
    with step(store, 2):
        assert store.reopen_row(1, voided["locator"], 2) == 1
    opened = shown(voided, counted_at=2, closed_at=None)
    assert rows_and_days(under_test) == ([shown(voided), opened], [day_of(voided)])


def test_rows_of_unknown_cost_are_found_by_scope_and_series_in_pages(store: FoldStore) -> None:
    found = [unknown_cost(1, row, input_tokens=row) for row in range(3)]
    others = (
        event(2, 0),
        unknown_cost(2, 1, kind_key=2),
        unknown_cost(2, 2, scope_key=2, customer_key=3),
        unknown_cost(2, 3, closed_at=2),
    )
    with step(store, 1):
        add(store, *found)
        assert store.unknown_cost_rows(1, 1, -1, 100).column("locator").to_pylist() == [0x10000, 0x10001, 0x10002]
    with step(store, 2):
        add(store, *others)
    expected = [{name: row[name] for name in UNKNOWN_COST_ROWS.names} for row in found]
    assert known(store, 1, 1, -1, 100) == expected
    assert known(store, 1, 1, -1, 2) == expected[:2]
    assert known(store, 1, 1, 0x10000, 2) == expected[1:]
    assert known(store, 1, 1, 0x10002, 2) == []
    assert [row["locator"] for row in known(store, 1, 2, -1, 100)] == [locator_of(2, 2)]


def known(store: FoldStore, *question: int) -> list[Row]:
    """Rows of unknown cost, with aware instants."""
    rows = store.unknown_cost_rows(*question).select(UNKNOWN_COST_ROWS.names).to_pylist()
    return [row | {"time": row["time"].replace(tzinfo=START.tzinfo)} for row in rows]


def test_a_price_opens_new_versions_of_the_rows_that_it_is_for(
    under_test: FoldStoreUnderTest, store: FoldStore
) -> None:
    one, other, left, free = unknown_cost(1, 0), unknown_cost(1, 1), unknown_cost(1, 2), event(1, 3)
    voided = unknown_cost(1, 4, closed_at=1)
    with step(store, 1):
        add(store, one, other, left, free, voided)
    with step(store, 2):
        price(store, 2, (one, "0.000000000001"), (other, "2"), (voided, "9"))
    with step(store, 3):
        price(store, 3, (other, "1.5"))
    priced = [
        shown(one, closed_at=2),
        shown_price(one, 2, "1e-12"),
        shown(other, closed_at=2),
        shown_price(other, 2, "2", closed_at=3),
        shown_price(other, 3, "1.5"),
    ]
    assert rows_and_days(under_test) == (
        [*priced, shown(left), shown(free), shown(voided)],
        [day_of(one, other, left, free, unknown=1, cost="1.500000000001")],
    )


def test_a_priced_row_keeps_its_cost_when_it_is_closed_and_reopened(
    under_test: FoldStoreUnderTest, store: FoldStore
) -> None:
    row = unknown_cost()
    with step(store, 1):
        add(store, row)
    with step(store, 2):
        price(store, 2, (row, "3"))
    with step(store, 3):
        store.close_row(1, row["locator"], 3)
    with step(store, 4):
        store.reopen_row(1, row["locator"], 4)
    priced = shown_price(row, 2, "3")
    assert rows_and_days(under_test) == (
        [shown(row, closed_at=2), priced | {"closed_at": 3}, priced | {"counted_at": 4}],
        [day_of(row, cost="3")],
    )


def test_a_row_reopened_and_priced_in_one_step_has_one_current_version(
    under_test: FoldStoreUnderTest, store: FoldStore
) -> None:
    row = unknown_cost(1, 0, closed_at=1)
    with step(store, 1):
        add(store, row)
    with step(store, 2):
        store.reopen_row(1, row["locator"], 2)
        price(store, 2, (row, "3"))
    reopened = shown(row, counted_at=2, closed_at=2)
    rows = [shown(row), reopened, shown_price(row, 2, "3") | {"closed_at": None}]
    assert rows_and_days(under_test) == (rows, [day_of(row, cost="3")])


def test_sums_beyond_64_bits_are_exact(under_test: FoldStoreUnderTest, store: FoldStore) -> None:
    largest = Decimal("999999999999999.999999999999")
    rows = [event(1, row, input_tokens=2**63 - 1, cost_usd=largest, cost_origin="producer") for row in range(3)]
    with step(store, 1):
        add(store, *rows)
    assert rows_and_days(under_test)[1] == [day_of(*rows, cost="2999999999999999.999999999997")]


def test_days_are_those_of_each_customer_series_and_utc_day(under_test: FoldStoreUnderTest, store: FoldStore) -> None:
    rows = [
        event(1, 0),
        event(1, 1, customer_key=2),
        event(1, 2, customer_key=2, kind_key=2),
        event(1, 3, scope_key=2, customer_key=3, time=START + timedelta(days=1) - timedelta(microseconds=1)),
        event(1, 4, scope_key=2, customer_key=3, time=START - timedelta(microseconds=1)),
    ]
    with step(store, 1):
        add(store, *rows)
    days = under_test.contents()["usage days"]
    assert sorted(days, key=repr) == sorted((day_of(row) for row in rows), key=repr)


def test_units_are_summed_by_customer_series_and_day_with_all_that_is_taken_away(
    under_test: FoldStoreUnderTest, store: FoldStore
) -> None:
    kept, taken = event(1, 0, **units(web_searches="2", own="0.5")), event(1, 1, **units(web_searches="40", pages="7"))
    plain, late = event(1, 2), event(1, 3, closed_at=1, **units(own="0.25"))
    with step(store, 1):
        add(store, kept, taken, plain, late)
    assert unit_days(under_test) == unit_days_of(kept, web_searches="42", own="0.5", pages="7")
    with step(store, 2):
        for row in (taken, plain):
            store.close_row(1, row["locator"], 2)
        store.close_row(1, taken["locator"], 2)  # changes nothing
    assert unit_days(under_test) == unit_days_of(kept, web_searches="2", own="0.5")
    with step(store, 3):
        for row in (taken, plain, late):
            store.reopen_row(1, row["locator"], 3)
    assert unit_days(under_test) == unit_days_of(kept, web_searches="42", own="0.75", pages="7")


def test_a_price_leaves_the_units_of_its_rows_as_they_are(under_test: FoldStoreUnderTest, store: FoldStore) -> None:
    row = unknown_cost(1, 0, **units(web_searches="2"))
    with step(store, 1):
        add(store, row)
    with step(store, 2):
        price(store, 2, (row, "5"))
    assert unit_days(under_test) == unit_days_of(row, web_searches="2")
    with step(store, 3):
        store.close_row(1, row["locator"], 3)
    assert unit_days(under_test) == []


def test_units_of_other_days_customers_and_series_are_apart(under_test: FoldStoreUnderTest, store: FoldStore) -> None:
    rows = [
        event(1, 0, **units(own="1")),
        event(1, 1, **units(own="2"), time=START + timedelta(days=1)),
        event(1, 2, **units(own="3"), customer_key=2),
        event(1, 3, **units(own="4"), kind_key=2),
        event(1, 4, **units(own="5"), scope_key=2, customer_key=3),
    ]
    with step(store, 1):
        add(store, *rows)
    expected = [day for number, row in enumerate(rows, 1) for day in unit_days_of(row, own=str(number))]
    assert sorted(under_test.contents()["unit days"], key=repr) == sorted(expected, key=repr)


def test_refused_locators_are_those_of_a_range(store: FoldStore) -> None:
    with step(store, 1):
        add_outcomes(store, outcome(1, 0), outcome(1, 3))
        assert sorted(store.refused_locators(locator_of(1, 0), locator_of(2, 0))) == [0x10000, 0x10003]
    with step(store, 2):
        add_outcomes(store, outcome(2, 0))
    assert sorted(store.refused_locators(locator_of(1, 1), locator_of(2, 0))) == [0x10003]
    assert store.refused_locators(locator_of(3, 0), locator_of(4, 0)) == []


# -- lifecycle


def test_a_void_waits_until_its_event_is_there_or_it_is_undone(store: FoldStore) -> None:
    with step(store, 1):
        add(store, event(1, 0))
        store.add_correction(correction("usage.voided", 1, "e-1-0"))  # of an event that is there
        store.add_correction(correction("usage.voided", 1, "e-1-0", scope_key=2))  # the same identity elsewhere
        store.add_correction(correction("usage.voided", 1, "arrives"))
        store.add_correction(correction("usage.voided", 1, "undone"))
    with step(store, 2):
        store.add_correction(correction("usage.restored", 2, "undone"))
        store.add_correction(correction("usage.restored", 2, "voided again"))
    with step(store, 3):
        add(store, event(3, 0, id="arrives", closed_at=3))
        store.add_correction(correction("usage.voided", 3, "voided again"))
    assert store.load_state().waiting_voids == {(2, "gateway", "e-1-0"), (1, "gateway", "voided again")}


def test_facts_of_all_owners_are_kept_in_order(under_test: FoldStoreUnderTest, store: FoldStore) -> None:
    with step(store, 1):
        store.add_fact(fact(FactOwner("customer", 1, None, 1), 1, name="one"))
        store.add_fact(fact(FactOwner("budget", 2, HOSTILE), 1))
    with step(store, 2):
        store.add_fact(fact(FactOwner("customer", 1, None, 1), 2, name=None, tags={"a": [1, "b"]}))
        store.add_fact(fact(FactOwner("customer", 1, None, 2), 2))
        store.add_fact(fact(FactOwner("meter", 1, HOSTILE), 2))
    contents = under_test.contents()
    acme, other = about_customer(1, "acme"), about_customer(1, "c/ç")
    assert sorted(contents["facts"], key=lambda row: (row["subject"], row["customer_id"] or "", row["position"])) == [
        shown_fact(1, about("budget", 2, HOSTILE)),
        shown_fact(1, acme, name="one"),
        shown_fact(2, acme, name=None, tags={"a": [1, "b"]}),
        shown_fact(2, other),
        shown_fact(2, about("meter", 1, HOSTILE)),
    ]


def test_prices_are_loaded_again_whole(under_test: FoldStoreUnderTest, store: FoldStore) -> None:
    tier = PriceTier(1000, UnitPrices(Decimal("0.3"), Decimal(2)))
    since = START + timedelta(days=1)
    listed = PriceList(
        price_list_of(
            [PriceVersion(None, UnitPrices(Decimal(1), Decimal(2))), PriceVersion(since, tier.prices, (tier,))]
        ).standard,
        (VariantRule({"speed": "fast"}, {"web_searches": UnitRate(Decimal(10))}, since, (3600, 7200)),),
        (Minimum(("audio_seconds",), Decimal("0.5")),),
    )
    own = own_price_list(PriceVersion(since, UnitPrices(Decimal("5.5"), Decimal(0), request=Decimal("0.01"))))
    with step(store, 1):
        store.add_price(NewPrice(1, None, "nowhere", "m-1", listed, "list 1", START, "engine"))
    with step(store, 2):
        store.add_price(NewPrice(2, 2, "nowhere", "m-1", own, None, START, "key-1"))
    times = np.array([epoch_microseconds(START), epoch_microseconds(since)], dtype=np.int64)
    customers = np.array([1, 2], dtype=np.int64)
    book = store.load_state().prices
    chosen = {
        scope_key: [
            (one.price_position, one.prices.prices)
            for one in book.choose(scope_key, "nowhere", "m-1", customers, times)
        ]
        for scope_key in SCOPES
    }
    assert chosen == {1: [(1, listed)], 2: [(2, own), (1, listed)]}
    assert [row["prices"] for row in sorted(under_test.contents()["prices"], key=lambda row: row["position"])] == [
        listed,
        own,
    ]


def test_prices_of_customers_and_discounts_are_loaded_again_up_to_the_deletions(store: FoldStore) -> None:
    since, ended = START - timedelta(days=1), recorded_at(3)
    own = own_price_list(PriceVersion(None, UnitPrices(Decimal(1), Decimal(2))))
    with step(store, 1):
        store.add_price(NewPrice(1, 1, "nowhere", "m-1", own, None, START, "key-1", "acme"))
    with step(store, 2):
        store.add_discount(NewDiscount(2, 1, "c/ç", None, None, None, Decimal("7.5"), since, START, "key-1"))
    with step(store, 3):
        about = FactOwner("customer", 1, None, 1)
        store.add_fact(msgspec.structs.replace(fact(about, 3), kind=CUSTOMER_DELETED, effective_at=ended))
    with step(store, 4):
        store.add_discount(NewDiscount(4, 1, None, None, "nowhere", "m-1", Decimal(50), None, START, "key-1"))
        store.add_price(NewPrice(4, None, "nowhere", "m-1", own, "list 1", START, "engine"))
    times = [since - timedelta(days=1), ended - timedelta(microseconds=1), ended]
    asked = [(customer, epoch_microseconds(at)) for customer in (1, 2) for at in times]
    customers, instants = (np.array(column, dtype=np.int64) for column in zip(*asked, strict=True))
    chosen = store.load_state().prices.choose(1, "nowhere", "m-1", customers, instants)
    found = [
        (row, one.price_position, one.of_scope, () if one.of_customers is None else (one.of_customers.tolist()[place],))
        for one in chosen
        for place, row in enumerate(one.rows.tolist())
    ]
    assert sorted(found) == [
        (0, 1, (), ()),
        (1, 1, (), ()),
        (2, 4, (4,), ()),
        (3, 4, (4,), ()),
        (4, 4, (4,), (2,)),
        (5, 4, (4,), (2,)),
    ]


def test_an_api_key_is_revoked_once(under_test: FoldStoreUnderTest, store: FoldStore) -> None:
    with step(store, 1):
        for key_id in ("kept", "revoked"):
            store.add_api_key(NewApiKey(key_id, 2, (), "mf_1", "00ff", HOSTILE, START, 1))
    for position in (2, 3):
        with step(store, position):
            store.revoke_api_key("revoked", recorded_at(position))
            store.revoke_api_key("never issued", recorded_at(position))
    assert {
        row["key_id"]: (row["scopes"], row["name"], row["revoked_at"]) for row in under_test.contents()["api keys"]
    } == {
        "kept": (((), ()), HOSTILE, None),
        "revoked": (((), ()), HOSTILE, recorded_at(2)),
    }


def test_progress_of_a_partition_adds_up_and_follows_the_highest_position(
    under_test: FoldStoreUnderTest, store: FoldStore
) -> None:
    def progress(position: int, next_offset: int, lost: int, refused: int, partition: int = 0) -> SourceProgress:
        stream = f"usage/kafka/{partition}"
        return SourceProgress(stream, "usage", partition, next_offset, position, recorded_at(position), lost, refused)

    with step(store, 1):
        store.update_source(progress(1, 10, 0, 1))
    with step(store, 4):
        store.update_source(progress(4, 40, 5, 0))
        store.update_source(progress(3, 30, 0, 2))  # usage of a step is folded before its lifecycle events
        store.update_source(progress(2, 7, 1, 0, partition=1))
    with step(store, 5):
        store.update_source(progress(5, 20, 2, 0))
    sources = sorted(under_test.contents()["sources"], key=lambda row: row["stream"])
    names = ("partition_number", "next_offset", "records_lost", "commands_refused", "position", "recorded_at")
    assert [tuple(row[name] for name in names) for row in sources] == [
        (0, 20, 7, 3, 5, recorded_at(5)),
        (1, 7, 1, 0, 2, recorded_at(2)),
    ]
