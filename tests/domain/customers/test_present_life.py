"""The present life that a stream tells is the one that the customer aggregate is in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.customers.events import (
    CustomerBlocked,
    CustomerCreated,
    CustomerDeleted,
    CustomerEvent,
    CustomerFactsCarried,
    CustomerUpdated,
    SealedPersonal,
)
from domain.customers.present_life import PresentLife
from domain.event import Provenance

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SEALED = SealedPersonal("k:1", b"n" * 12, b"x")


def event(kind: type[CustomerEvent], version: int, **fields: Any) -> CustomerEvent:
    common: dict[str, Any] = {"recorded_at": NOW, "effective_at": NOW, "provenance": Provenance("k")}
    owner = {"tenant": "default", "environment": "prod", "customer_id": "acme"}
    return kind(stream="customer/default/prod/acme", version=version, **common | owner | fields)


def test_a_life_knows_its_number_and_whether_its_key_is_in_use() -> None:
    life = PresentLife()
    for happened, expected in (
        (event(CustomerBlocked, 1), PresentLife(1)),
        (event(CustomerCreated, 2, fields={}), PresentLife(2)),
        (event(CustomerUpdated, 3, fields={}, personal=SEALED), PresentLife(3, has_sealed=True)),
        (event(CustomerFactsCarried, 4), PresentLife(4, has_carried=True, has_sealed=True)),
        (event(CustomerDeleted, 5), PresentLife(5, 2, NOW)),
        (event(CustomerFactsCarried, 6), PresentLife(6, 2, NOW, has_carried=True)),
        (event(CustomerFactsCarried, 7, personal_key_id="k:2"), PresentLife(7, 2, NOW, True, has_sealed=True)),
        (event(CustomerCreated, 8, fields={}, personal=SEALED), PresentLife(8, 2, NOW, True, True)),
        (event(CustomerDeleted, 9, effective_at=NOW + timedelta(1)), PresentLife(9, 3, NOW + timedelta(1))),
    ):
        life = life.after(happened)
        assert life == expected


def test_the_first_life_holds_every_instant_and_a_later_one_those_since_the_deletion() -> None:
    second = PresentLife(5, 2, NOW)
    assert PresentLife().holds(NOW - timedelta(9_000))
    assert [second.holds(NOW + timedelta(hours)) for hours in (-1, 0, 1)] == [False, True, True]
