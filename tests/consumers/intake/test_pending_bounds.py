"""Pending requests are bounded, and no key takes the room that is kept for the others."""

from __future__ import annotations

import pytest

from consumers.errors import IntakeFull
from consumers.intake.options import WHOLE_BYTES_MAX, IntakeOptions
from consumers.intake.pending_bounds import PendingBounds
from consumers.intake.requests import IntakeRequest
from domain.errors import InvalidInput
from domain.scope import DEFAULT_SCOPE
from tests.domain.usage.usage_event_texts import NDJSON


def request(key: str | None, size: int = 1) -> IntakeRequest:
    return IntakeRequest(DEFAULT_SCOPE, NDJSON, b"x" * size, key=key)


def added(bounds: PendingBounds, one: IntakeRequest) -> int:
    """How many requests like this one are taken."""
    count = 0
    try:
        while True:
            bounds.add(one)
            count += 1
    except IntakeFull:
        return count


def test_one_key_leaves_a_quarter_of_the_requests_to_others() -> None:
    bounds = PendingBounds(IntakeOptions(pending_requests_max=100))
    assert added(bounds, request("one")) == 75
    assert added(bounds, request("other")) == 25
    with pytest.raises(IntakeFull, match="100 requests are waiting"):
        bounds.add(request("third"))


def test_one_key_leaves_a_quarter_of_the_bytes_to_others() -> None:
    bounds = PendingBounds(IntakeOptions(pending_bytes_max=1_000))
    assert added(bounds, request("one", 100)) == 7
    assert added(bounds, request("other", 100)) == 2
    with pytest.raises(IntakeFull, match="7 requests of this key are waiting"):
        bounds.add(request("one"))


def test_large_requests_of_many_keys_leave_a_quarter_of_the_bytes_to_small_ones() -> None:
    large = 2 * WHOLE_BYTES_MAX
    bounds = PendingBounds(IntakeOptions(pending_bytes_max=8 * large))
    assert sum(min(added(bounds, request(f"key-{number}", large)), 9) for number in range(10)) == 6
    bounds.add(request("small", 100))


def test_requests_without_a_key_may_take_all_the_room() -> None:
    assert added(PendingBounds(IntakeOptions(pending_requests_max=100)), request(None)) == 100


def test_room_is_there_again_when_a_request_is_done() -> None:
    bounds = PendingBounds(IntakeOptions(pending_requests_max=2))
    first, second = request(None), request("one")
    bounds.add(first)
    bounds.add(request("other"))
    with pytest.raises(IntakeFull):
        bounds.add(second)
    bounds.remove(first.key, first.size_bytes)
    bounds.add(second)
    assert (bounds.requests, bounds.size_bytes) == (2, 2)


def test_a_request_larger_than_all_room_is_refused_for_good() -> None:
    with pytest.raises(InvalidInput) as caught:
        PendingBounds(IntakeOptions(pending_bytes_max=10)).add(request("one", 11))
    assert caught.value.code == "body_too_large"
