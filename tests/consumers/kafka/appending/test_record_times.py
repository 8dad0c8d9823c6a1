"""Records of a partition get times in record order, also where all of them have one timestamp."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from consumers.kafka.appending.batches import CommandMessage, Part, UsageRun
from consumers.kafka.appending.record_times import (
    COMMANDS_PER_MILLISECOND_MAX,
    MILLISECOND_US,
    assign_record_times,
)
from domain.scope import DEFAULT_SCOPE

T = 1_790_000_000_000_000


def used(*arrivals_us: int) -> UsageRun:
    return UsageRun(DEFAULT_SCOPE, [b"{}"] * len(arrivals_us), list(range(len(arrivals_us))), list(arrivals_us))


def command(arrival_us: int) -> CommandMessage:
    return CommandMessage(0, DEFAULT_SCOPE, "customer.delete", "crm", "1", "ada", {}, arrival_us)


def instants(parts: Sequence[Part]) -> list[int]:
    return [
        at for part in parts for at in ([part.arrival_us] if isinstance(part, CommandMessage) else part.arrivals_us)
    ]


def test_a_command_counts_after_the_usage_before_it_and_not_after_the_usage_behind_it() -> None:
    parts, last_us = assign_record_times([used(T, T), command(T), used(T), command(T), used(T, T + 1_000)], None)
    assert instants(parts) == [T, T, T + 1, T + 1, T + 2, T + 2, T + 1_000]
    assert last_us is None


def test_a_millisecond_that_a_poll_divides_goes_on_in_the_next() -> None:
    _, last_us = assign_record_times([command(T)], None)
    assert last_us == T + 1
    parts, last_us = assign_record_times([used(T)], last_us)
    assert (instants(parts), last_us) == ([T + 1], T + 1)
    parts, last_us = assign_record_times([command(T), used(T + 1_000)], last_us)
    assert (instants(parts), last_us) == ([T + 2, T + 1_000], None)


def test_usage_alone_and_records_without_a_timestamp_stay_as_they_are() -> None:
    assert assign_record_times([used(T, T + 5_000, T)], None) == ([used(T, T + 5_000, T)], None)
    parts, last_us = assign_record_times([used(-1_000), command(-1_000), used(-1_000)], None)
    assert (instants(parts), last_us) == ([-1_000] * 3, None)


def test_a_millisecond_is_never_left_however_many_commands_are_in_it() -> None:
    parts, last_us = assign_record_times([command(T)] * 2_000, None)
    assert instants(parts)[-1] == last_us == T + COMMANDS_PER_MILLISECOND_MAX


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=40), st.integers(0, 40))
def test_within_a_millisecond_nothing_counts_before_what_stands_before_it(
    records: list[tuple[bool, int]], cut: int
) -> None:
    """However the records are split into two polls, if the second begins in the millisecond of the first one's end."""
    parts = [command(T + at * 1_000) if is_command else used(T + at * 1_000) for is_command, at in records]
    first, last_us = assign_record_times(parts[:cut], None)
    second, _ = assign_record_times(parts[cut:], last_us)
    found = list(zip(records, instants([*first, *second]), strict=True))
    for (_, at), instant in found:
        assert instant // MILLISECOND_US == T // MILLISECOND_US + at
    for polled in (found[:cut], found[cut:]):
        for millisecond in range(4):
            here = [(is_command, instant) for (is_command, at), instant in polled if at == millisecond]
            for (_, before), (is_command, after) in pairwise(here):
                assert after > before if is_command else after == before
