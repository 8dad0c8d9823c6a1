"""Lives and terms of subscriptions follow from facts alone, in whatever order these arrive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count, permutations
from typing import Any

import msgspec
import pytest

from domain.subscriptions.lives import SubscriptionLife, Term, subscription_lives

POSITIONS = count(1)


class Fact(msgspec.Struct, frozen=True):
    position: int
    effective_at: datetime
    kind: str
    fields: dict[str, Any]
    patched: tuple[str, ...] = ()


def on(day: int, month: int = 3, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def fact(verb: str, at: datetime, **fields: Any) -> Fact:
    return Fact(next(POSITIONS), at, f"subscription.{verb}", fields)


def created(at: datetime, customer: str = "ada", plan: str = "small", **fields: Any) -> Fact:
    return fact("created", at, customer=customer, plan=plan, **fields)


def lives(facts: Sequence[Fact], deletions: Sequence[datetime] = ()) -> list[SubscriptionLife]:
    return subscription_lives("sub", facts, lambda customer: list(deletions))


def life(start: datetime, end: datetime | None, *terms: Term, **others: Any) -> SubscriptionLife:
    shown = {"customer_id": "ada", "billing": "calendar", "name": None, **others}
    return SubscriptionLife("sub", start=start, end=end, terms=terms, **shown)


def test_a_subscription_has_one_term_until_its_plan_changes() -> None:
    facts = [created(on(5), billing="anniversary"), fact("updated", on(7), name="Ada's")]

    assert lives(facts) == [
        life(on(5), None, Term("small", on(5), None), billing="anniversary", name="Ada's"),
    ]


def test_changes_of_plan_make_terms_in_any_order_of_arrival() -> None:
    facts = [
        created(on(5)),
        fact("updated", on(20), plan="large"),
        fact("updated", on(10), plan="medium"),
        fact("updated", on(12), plan="medium"),
    ]
    expected = [
        life(on(5), None, Term("small", on(5), on(10)), Term("medium", on(10), on(20)), Term("large", on(20), None))
    ]

    for order in permutations(facts):
        positioned = [Fact(number, one.effective_at, one.kind, one.fields) for number, one in enumerate(order, 1)]
        assert lives(positioned) == expected


@pytest.mark.parametrize(
    ("facts", "deletions", "end"),
    [
        ([fact("deleted", on(20))], [], on(20)),
        ([fact("updated", on(6), ends_at="2026-03-18T00:00:00.000000Z")], [], on(18)),
        ([fact("updated", on(6), ends_at="2026-03-18T00:00:00.000000Z"), fact("deleted", on(20))], [], on(18)),
        ([fact("updated", on(6), ends_at="2026-03-25T00:00:00.000000Z"), fact("deleted", on(20))], [], on(20)),
        ([], [on(15), on(1), on(16)], on(15)),
        ([fact("deleted", on(20))], [on(21)], on(20)),
    ],
)
def test_a_life_ends_where_the_first_of_its_ends_is(
    facts: list[Fact], deletions: list[datetime], end: datetime
) -> None:
    assert lives([created(on(5)), *facts], deletions) == [life(on(5), end, Term("small", on(5), end))]


def test_an_id_is_used_again_by_another_customer() -> None:
    facts = [created(on(5)), fact("deleted", on(10)), created(on(10), "bob", "large"), fact("deleted", on(20))]

    assert lives(facts) == [
        life(on(5), on(10), Term("small", on(5), on(10))),
        life(on(10), on(20), Term("large", on(10), on(20)), customer_id="bob"),
    ]


def test_an_end_before_the_start_leaves_nothing() -> None:
    assert lives([created(on(25)), fact("deleted", on(10))]) == []
    assert lives([created(on(5), ends_at="2026-03-05T00:00:00.000000Z")]) == []


def test_a_term_after_the_end_is_none() -> None:
    facts = [created(on(5), ends_at="2026-03-09T00:00:00.000000Z"), fact("updated", on(20), plan="large")]

    assert lives(facts) == [life(on(5), on(9), Term("small", on(5), on(9)))]


def test_a_subscription_is_pending_then_active_then_terminated() -> None:
    (one,) = lives([created(on(5)), fact("deleted", on(10))])

    assert [one.status(on(day)) for day in (4, 5, 9, 10)] == ["pending", "active", "active", "terminated"]
    assert [one.term_at(on(day)) for day in (4, 5, 10)] == [None, one.terms[0], None]
