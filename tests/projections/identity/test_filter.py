"""The filter of the identity index has no false negatives, and few false positives while it may grow."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from projections.identity.entries import U64
from projections.identity.filter import BITS_PER_ENTRY, FILTER_BYTES_MIN, IdentityFilter, filter_bytes_for

U64_MAX = (1 << 64) - 1
hash_lists = st.lists(st.integers(0, U64_MAX) | st.integers(0, 9) | st.integers(U64_MAX - 9, U64_MAX))
filter_sizes = st.integers(1, 300).map(lambda words: words * 8)


def columns(values: list[int]) -> U64:
    return np.array(sorted(values), dtype=np.uint64)


@given(hash_lists, hash_lists, filter_sizes)
def test_the_filter_admits_everything_that_was_added(first: list[int], second: list[int], size: int) -> None:
    known = IdentityFilter(size)
    known.add_ascending(columns(first))
    known.add_ascending(columns(second))
    assert known.may_contain(columns(first + second)).all()


@given(hash_lists, hash_lists, filter_sizes)
def test_a_doubled_filter_still_admits_what_was_added_before_and_after(
    before: list[int], after: list[int], size: int
) -> None:
    small = IdentityFilter(size)
    small.add_ascending(columns(before))
    large = small.doubled()
    large.add_ascending(columns(after))
    assert (large.bytes, large.stretched) == (2 * size, True)
    assert large.may_contain(columns(before + after)).all()


def test_an_empty_filter_denies_everything() -> None:
    assert not IdentityFilter(64).may_contain(columns([0, 1, U64_MAX])).any()


def test_at_ten_bits_an_entry_few_new_identities_pass() -> None:
    random = np.random.default_rng(1)
    known = IdentityFilter(FILTER_BYTES_MIN)
    known.add_ascending(np.sort(random.integers(0, 1 << 64, known.entries_max, dtype=np.uint64)))
    passed = known.may_contain(random.integers(0, 1 << 64, 200_000, dtype=np.uint64)).mean()
    assert 0.01 < passed < 0.03


def test_a_filter_at_its_maximum_size_has_more_false_positives() -> None:
    random = np.random.default_rng(2)
    known = IdentityFilter(FILTER_BYTES_MIN // 8)
    known.add_ascending(np.sort(random.integers(0, 1 << 64, 2 * known.entries_max, dtype=np.uint64)))
    passed = known.may_contain(random.integers(0, 1 << 64, 200_000, dtype=np.uint64)).mean()
    assert 0.05 < passed < 0.2


@given(st.integers(0, 10**9), st.integers(8, 1 << 28))
def test_a_filter_has_enough_bits_or_all_that_it_may_have(entries: int, bytes_max: int) -> None:
    size = filter_bytes_for(entries, bytes_max)
    assert 8 <= size <= bytes_max
    assert size % 8 == 0
    assert size * 8 >= entries * BITS_PER_ENTRY or size > bytes_max - 8
