"""A Bloom filter in memory over all identities, so that most lookups of new ones read no run.

It is a blocked filter with blocks of one 64-bit word: a hash chooses a word by its upper half, and four bits in it by
its lower half. It has no false negatives. At ten bits an entry about 2 % are false positives; a filter that has reached
its maximum size has ever more of them, which costs time but never changes an answer.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from projections.identity.entries import U64

BITS_PER_ENTRY: Final = 10
WORD_BYTES: Final = 8
FILTER_BYTES_MIN: Final = 1 << 20
#: 100 million identities at ten bits each.
FILTER_BYTES_MAX: Final = 1 << 27
_BIT_SHIFTS: Final = tuple(np.uint64(shift) for shift in (6, 12, 18))
_ONE: Final = np.uint64(1)
_BIT_MASK: Final = np.uint64(63)
_HALF: Final = np.uint64(32)
_INSERT_ENTRIES_MAX: Final = 1 << 16


class IdentityFilter:
    """A set of hashes with false positives. Safe for many readers in other threads and one writer at a time."""

    def __init__(self, bytes_: int, words: U64 | None = None, stretched: bool = False) -> None:
        """Make an empty filter of `bytes_` bytes (a multiple of 8), or one with these `words`."""
        self._words: U64 = np.zeros(bytes_ // WORD_BYTES, dtype=np.uint64) if words is None else words
        self.stretched: Final = stretched

    @property
    def bytes(self) -> int:
        """The memory used."""
        return int(self._words.nbytes)

    @property
    def entries_max(self) -> int:
        """The number of entries for which it has `BITS_PER_ENTRY` each."""
        return self.bytes * 8 // BITS_PER_ENTRY

    def may_contain(self, hashes: U64) -> NDArray[np.bool_]:
        """Whether each hash may have been added; False is certain."""
        bits = _bits_of(hashes)
        answer: NDArray[np.bool_] = (self._words[self._word_of(hashes)] & bits) == bits
        return answer

    def add_ascending(self, hashes: U64) -> None:
        """Add hashes in ascending order."""
        for start in range(0, len(hashes), _INSERT_ENTRIES_MAX):
            chunk = hashes[start : start + _INSERT_ENTRIES_MAX]
            word = self._word_of(chunk)
            # Ascending hashes fall into ascending words, so equal words are neighbours.
            starts = np.flatnonzero(np.concatenate(([True], word[1:] != word[:-1])))
            self._words[word[starts]] |= np.bitwise_or.reduceat(_bits_of(chunk), starts)

    def doubled(self) -> IdentityFilter:
        """Return a filter of twice the size that contains at least the same hashes.

        It is made without the entries: every word becomes two equal ones, because words are chosen by the leading bits.
        It has more false positives than a fresh filter of its size, which `stretched` says.
        """
        words = np.repeat(self._words, 2)
        return IdentityFilter(words.nbytes, words, stretched=True)

    def _word_of(self, hashes: U64) -> U64:
        # A word's number below 2**32 times the upper half cannot overflow. 0 <= result < number of words.
        word: U64 = ((hashes >> _HALF) * np.uint64(len(self._words))) >> _HALF
        return word


def filter_bytes_for(entries: int, bytes_max: int = FILTER_BYTES_MAX) -> int:
    """The size in bytes that gives each entry `BITS_PER_ENTRY`, at most `bytes_max` (which is at least 8)."""
    size = min(FILTER_BYTES_MIN, bytes_max)
    while size * 8 < entries * BITS_PER_ENTRY and size < bytes_max:
        size = min(size * 2, bytes_max)
    return size - size % WORD_BYTES


def _bits_of(hashes: U64) -> U64:
    bits = _ONE << (hashes & _BIT_MASK)
    for shift in _BIT_SHIFTS:
        bits |= _ONE << ((hashes >> shift) & _BIT_MASK)
    return bits
