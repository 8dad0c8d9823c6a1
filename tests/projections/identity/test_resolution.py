"""Deduplication equals a plain sequential specification that decides one row after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.usage.locators import locator_of
from projections.identity.entries import NO_PRIOR_CLAIMS, U64, Entries, PriorClaims, Rows, claims_in, sorted_entries
from projections.identity.resolution import (
    BATCH_REFUSED,
    CONFLICT,
    COUNTED,
    DUPLICATE,
    NO_GROUP,
    OUTCOME_OF_CODE,
    REJECTED,
    Mask,
    ReceivedRows,
    resolve,
)

NAMES = 7
HASHES = 3
CONTENTS = 3


class Event(NamedTuple):
    """A received event: `name` is its true identity, of which many share a hash."""

    name: int
    content: int = 0
    accepted: bool = True
    group: int = NO_GROUP
    atomic: bool = False

    @property
    def hash(self) -> int:
        return self.name % HASHES


class Claim(NamedTuple):
    event: Event
    locator: int


Verdict = tuple[int, int]

events = st.builds(
    Event,
    name=st.integers(0, NAMES - 1),
    content=st.integers(0, CONTENTS - 1),
    accepted=st.sampled_from((True, True, True, False)),
    group=st.sampled_from((NO_GROUP, NO_GROUP, 0, 1, 2)),
    atomic=st.booleans(),
)
blocks = st.lists(events, max_size=14)


def decided_plainly(block: Sequence[Event], position: int, claims: list[Claim]) -> list[Verdict]:
    """The specification. Adds the claims of what is counted to `claims`."""
    verdicts: list[Verdict] = [(COUNTED, 0)] * len(block)
    for unit in units_of(block):
        tried = list(claims)
        for row in unit:
            verdicts[row] = decided_row(block[row], tried)
            if verdicts[row][0] == COUNTED:
                tried.append(Claim(block[row], locator_of(position, row)))
        is_group = block[unit[0]].atomic and block[unit[0]].group != NO_GROUP
        if is_group and any(verdicts[row][0] != COUNTED for row in unit):
            for row in unit:
                verdicts[row] = (BATCH_REFUSED if block[row].accepted else REJECTED, verdicts[row][1])
        else:
            claims[:] = tried
    return verdicts


def units_of(block: Sequence[Event]) -> list[list[int]]:
    """Rows that stand or fall together, in the order of their first rows."""
    units: dict[tuple[str, int], list[int]] = {}
    for row, event in enumerate(block):
        key = ("group", event.group) if event.atomic and event.group != NO_GROUP else ("row", row)
        units.setdefault(key, []).append(row)
    return list(units.values())


def decided_row(event: Event, claims: list[Claim]) -> Verdict:
    if not event.accepted:
        return REJECTED, 0
    same_hash = [claim for claim in claims if claim.event.hash == event.hash]
    for claim in same_hash:
        if claim.event.content == event.content:
            return DUPLICATE, claim.locator
    for claim in same_hash:
        if claim.event.name == event.name:
            return CONFLICT, claim.locator
    return COUNTED, 0


def resolved(block: Sequence[Event], position: int, claims: list[Claim]) -> list[Verdict]:
    """The result of `resolve`, asserting that it compares only rows with equal hashes and different contents."""
    by_locator = {claim.locator: claim.event for claim in claims}

    def same_name(row: int, other: Event) -> bool:
        assert block[row].hash == other.hash
        assert block[row].content != other.content
        return block[row].name == other.name

    def same_as_stored(rows: Rows, locators: U64) -> Mask:
        pairs = zip(rows.tolist(), locators.tolist(), strict=True)
        return np.array([same_name(row, by_locator[locator]) for row, locator in pairs])

    def same_here(rows: Rows, earlier: Rows) -> Mask:
        pairs = zip(rows.tolist(), earlier.tolist(), strict=True)
        return np.array([same_name(row, block[other]) for row, other in pairs])

    answer = resolve(received(block, position), found(block, claims), same_as_stored, same_here)
    assert answer.counted.tolist() == [code == COUNTED for code in answer.codes.tolist()]
    return list(zip(answer.codes.tolist(), answer.first_locators.tolist(), strict=True))


def received(block: Sequence[Event], position: int) -> ReceivedRows:
    return ReceivedRows(
        identities=np.array([event.hash for event in block], dtype=np.uint64),
        contents=np.array([event.content for event in block], dtype=np.uint64),
        locators=np.array([locator_of(position, row) for row in range(len(block))], dtype=np.uint64),
        accepted=np.array([event.accepted for event in block], dtype=np.bool_),
        groups=np.array([event.group for event in block], dtype=np.int64),
        atomic=np.array([event.atomic for event in block], dtype=np.bool_),
    )


def found(block: Sequence[Event], claims: list[Claim]) -> PriorClaims:
    """What an index with these claims answers for the hashes of the block (those of rejected rows included)."""
    if not claims:
        return NO_PRIOR_CLAIMS
    hashes = np.array([event.hash for event in block], dtype=np.uint64)
    order = np.argsort(hashes)
    return claims_in([stored(claims)], hashes[order], order)


def stored(claims: list[Claim]) -> Entries:
    return sorted_entries(
        np.array([claim.event.hash for claim in claims], dtype=np.uint64),
        np.array([claim.event.content for claim in claims], dtype=np.uint64),
        np.array([claim.locator for claim in claims], dtype=np.uint64),
    )


A_GROUP_FALLS_AND_A_LATER_GROUP_TAKES_ITS_PLACE = [
    Event(1, group=0, atomic=True),
    Event(1, group=0, atomic=True),
    Event(1, group=1, atomic=True),
    Event(1),
]


@given(st.lists(blocks, max_size=4))
@example([A_GROUP_FALLS_AND_A_LATER_GROUP_TAKES_ITS_PLACE])
def test_every_row_is_decided_as_by_the_plain_specification(history: list[list[Event]]) -> None:
    claims: list[Claim] = []
    for position, block in enumerate(history, start=1):
        before = list(claims)
        expected = decided_plainly(block, position, claims)
        assert resolved(block, position, before) == expected


@given(blocks, st.integers(0, 14))
def test_cutting_a_block_where_no_group_is_cut_changes_no_outcome(block: list[Event], cut: int) -> None:
    loose = [event._replace(atomic=False) for event in block]
    whole = [code for code, _ in resolved(loose, 1, [])]
    first = [code for code, _ in resolved(loose[:cut], 1, [])]
    claims = [Claim(event, row) for row, event in enumerate(loose[:cut]) if first[row] == COUNTED]
    assert first + [code for code, _ in resolved(loose[cut:], 2, claims)] == whole


def test_new_identities_are_counted_without_a_comparison() -> None:
    block = [Event(name) for name in range(HASHES)]
    assert resolved(block, 1, []) == [(COUNTED, 0)] * HASHES


def test_a_resent_block_is_all_duplicates_of_the_first_delivery() -> None:
    block = [Event(name, content=name) for name in range(HASHES)]
    claims = [Claim(event, locator_of(1, row)) for row, event in enumerate(block)]
    assert resolved(block, 2, claims) == [(DUPLICATE, locator_of(1, row)) for row in range(HASHES)]


def test_another_content_under_the_same_identity_is_a_conflict_with_the_first() -> None:
    assert resolved([Event(1, content=0), Event(1, content=1)], 4, []) == [(COUNTED, 0), (CONFLICT, locator_of(4, 0))]


def test_rows_of_one_identity_are_compared_all_at_once() -> None:
    old = Claim(Event(0), locator_of(1, 0))
    block = [Event(number % 2, content=1 + number) for number in range(1_000)]
    asked: list[tuple[str, int]] = []

    def answering(name: str) -> Callable[[Rows, U64 | Rows], Mask]:
        def same(rows: Rows, others: U64 | Rows) -> Mask:
            asked.append((name, len(rows)))
            return np.ones(len(rows), dtype=np.bool_)

        return same

    answer = resolve(received(block, 2), found(block, [old]), answering("stored"), answering("here"))
    assert asked == [("stored", 500), ("here", 499)]
    assert answer.codes.tolist() == [CONFLICT, COUNTED, *[CONFLICT] * 998]
    assert answer.first_locators.tolist() == [old.locator, 0, *[old.locator, locator_of(2, 1)] * 499]


def test_another_identity_that_shares_the_hash_is_counted() -> None:
    assert resolved([Event(1, content=0), Event(1 + HASHES, content=1)], 4, []) == [(COUNTED, 0), (COUNTED, 0)]


def test_a_rejected_row_claims_nothing() -> None:
    assert resolved([Event(1, accepted=False), Event(1)], 1, []) == [(REJECTED, 0), (COUNTED, 0)]


def test_a_duplicate_refuses_its_atomic_group_which_then_claims_nothing() -> None:
    old = Claim(Event(0), locator_of(1, 0))
    block = [Event(0, group=5, atomic=True), Event(1, group=5, atomic=True), Event(1)]
    assert resolved(block, 2, [old]) == [(BATCH_REFUSED, old.locator), (BATCH_REFUSED, 0), (COUNTED, 0)]


def test_a_row_rejected_by_intake_refuses_its_atomic_group_and_keeps_its_own_reason() -> None:
    block = [Event(0, group=0, atomic=True), Event(1, accepted=False, group=0, atomic=True), Event(0)]
    assert resolved(block, 1, []) == [(BATCH_REFUSED, 0), (REJECTED, 0), (COUNTED, 0)]


def test_a_group_that_is_not_atomic_loses_only_its_duplicate() -> None:
    block = [Event(0, group=0), Event(0, group=0), Event(1, group=0)]
    assert resolved(block, 3, []) == [(COUNTED, 0), (DUPLICATE, locator_of(3, 0)), (COUNTED, 0)]


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (COUNTED, "counted"),
        (DUPLICATE, "duplicate"),
        (CONFLICT, "conflict"),
        (REJECTED, "rejected"),
        (BATCH_REFUSED, "rejected"),
    ],
)
def test_every_code_stands_for_one_outcome(code: int, outcome: str) -> None:
    assert OUTCOME_OF_CODE[code] == outcome
