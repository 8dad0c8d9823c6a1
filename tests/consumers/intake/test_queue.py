"""The queue hands out requests in slices: every key has its turn, and every request of a key."""

from __future__ import annotations

from typing import Any

import pytest

from consumers.errors import IntakeUnavailable
from consumers.intake.options import SLICE_BYTES_MAX, SLICE_EVENTS_MAX, IntakeOptions
from consumers.intake.queue import IntakeQueue
from consumers.intake.requests import IntakeRequest
from domain.errors import InvalidInput
from domain.scope import DEFAULT_SCOPE
from tests.domain.usage.usage_event_texts import NDJSON

ROOM = (10_000, 16 * 1024 * 1024)


def request(name: str, items: int = 1, key: str | None = "key", **changes: Any) -> IntakeRequest:
    """A request whose items are all its name."""
    body = b"\n".join([name.encode()] * items)
    return IntakeRequest(DEFAULT_SCOPE, NDJSON, body, key=key, **changes)


def queue_of(*requests: IntakeRequest, **options: Any) -> IntakeQueue:
    queue = IntakeQueue(IntakeOptions(**options))
    for one in requests:
        queue.put(one)
    return queue


def taken(queue: IntakeQueue) -> tuple[str, int]:
    """The name of the request that has its turn, and how many of its items."""
    found = queue.take(*ROOM, first=True)
    assert found is not None
    return found.items[0].decode(), len(found.items)


def test_a_large_request_is_handed_out_in_slices_and_others_come_in_between() -> None:
    queue = queue_of(request("large", 2_500, "one"), request("single", 1, "other"))
    assert [taken(queue) for _ in range(4)] == [("large", 1_000), ("single", 1), ("large", 1_000), ("large", 500)]


def test_a_slice_is_bounded_in_bytes_too_but_has_an_item() -> None:
    queue = queue_of(request("x" * (SLICE_BYTES_MAX // 4), 9), request("y" * (4 * SLICE_BYTES_MAX), key="other"))
    assert sorted(taken(queue)[1] for _ in range(4)) == [1, 1, 4, 4]


def test_many_requests_of_one_key_hold_up_another_key_by_one_turn() -> None:
    queue = queue_of(*(request(f"one-{number}", SLICE_EVENTS_MAX, "one") for number in range(20)))
    assert taken(queue)[0] == "one-0"
    queue.put(request("other", key="other"))
    assert taken(queue)[0] == "other"
    queue.put(request("other again", key="other"))
    assert "other again" in (taken(queue)[0], taken(queue)[0])


def test_a_new_request_of_the_same_key_comes_before_further_slices_of_large_ones() -> None:
    queue = queue_of(*(request(f"large-{number}", 5_000) for number in range(10)))
    assert [taken(queue)[0] for _ in range(12)][-1].startswith("large")
    queue.put(request("single"))
    assert "single" in (taken(queue)[0], taken(queue)[0])


def test_new_requests_without_end_leave_turns_to_those_that_wait() -> None:
    queue = queue_of(request("large", 20_000))
    turns = []
    for number in range(40):
        queue.put(request(f"new-{number}"))
        turns.append(taken(queue)[0])
    assert turns.count("large") >= 4


def test_new_keys_without_end_leave_turns_to_those_that_wait() -> None:
    queue = queue_of(request("large", 20_000))
    turns = []
    for number in range(40):
        queue.put(request(f"new-{number}", key=f"new-{number}"))
        turns.append(taken(queue)[0])
    assert turns.count("large") >= 4


def test_requests_without_a_key_are_taken_in_the_order_in_which_they_came() -> None:
    queue = queue_of(request("large", 2_500, None), request("single", 1, None))
    assert [taken(queue) for _ in range(4)] == [("large", 1_000), ("large", 1_000), ("large", 500), ("single", 1)]


def test_what_has_to_wait_for_the_fold_lets_others_pass() -> None:
    queue = IntakeQueue(IntakeOptions(), lambda pending: pending.is_large)
    queue.put(request("large", 2_000, "one"))
    queue.put(request("single", 1, "one"))
    assert taken(queue)[0] == "single"
    assert queue.take(*ROOM, first=False) is None


def test_a_body_with_more_items_than_allowed_is_refused_as_a_whole() -> None:
    queue = IntakeQueue(IntakeOptions(request_items_max=2_000))
    too_many, as_items = queue.put(request("x", 2_001)), queue.put(request("y", 1))
    split_before = IntakeRequest(DEFAULT_SCOPE, NDJSON, (b"z",) * 2_001)
    refused = queue.put(split_before)
    assert taken(queue)[0] == "y"
    assert not as_items.done()
    queue.close()
    assert queue.take(*ROOM, first=True) is None
    for future in (too_many, refused):
        with pytest.raises(InvalidInput, match="must have at most 2000 items") as caught:
            future.result(0)
        assert caught.value.code == "too_many_items"


def test_a_request_that_has_no_room_in_a_group_stays() -> None:
    queue = queue_of(request("a", 3, "one"), request("b", 3, "other"))
    assert taken(queue) == ("a", 3)
    assert queue.take(2, 1_000, first=False) is None
    assert taken(queue) == ("b", 3)


def test_a_closed_queue_takes_nothing_and_is_emptied() -> None:
    queue = queue_of(request("last"))
    queue.close()
    with pytest.raises(IntakeUnavailable):
        queue.put(request("late"))
    assert taken(queue)[0] == "last"
    assert queue.take(*ROOM, first=True) is None
