"""A filter in memory that knows most new identities for new, so that the common case touches no run.

A blocked Bloom filter with blocks of one 64-bit word: a hash chooses a word by its upper half and four bits
in it by its lower half. It never denies what was added. At ten bits an entry it wrongly admits
about 2 % of what was not; when it may grow no further it admits ever more and costs time, never truth.
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
    """Which hashes may have been added. Readers in other threads are safe; there may be one writer at a time."""

    def __init__(self, bytes_: int, words: U64 | None = None, stretched: bool = False) -> None:
        """An empty filter of `bytes_` (a multiple of 8, at least 8)."""
        self._words: U64 = np.zeros(bytes_ // WORD_BYTES, dtype=np.uint64) if words is None else words
        self.stretched: Final = stretched

    @property
    def bytes(self) -> int:
        """Memory used."""
        return int(self._words.nbytes)

    @property
    def entries_max(self) -> int:
        """How many entries it holds at `BITS_PER_ENTRY`."""
        return self.bytes * 8 // BITS_PER_ENTRY

    def may_contain(self, hashes: U64) -> NDArray[np.bool_]:
        """For each hash: False if it was surely never added."""
        bits = _bits_of(hashes)
        answer: NDArray[np.bool_] = (self._words[self._word_of(hashes)] & bits) == bits
        return answer

    def add_ascending(self, hashes: U64) -> None:
        """Add hashes, which are in ascending order."""
        for start in range(0, len(hashes), _INSERT_ENTRIES_MAX):
            piece = hashes[start : start + _INSERT_ENTRIES_MAX]
            word = self._word_of(piece)
            # Ascending hashes fall into ascending words, so equal words are neighbours.
            starts = np.flatnonzero(np.concatenate(([True], word[1:] != word[:-1])))
            self._words[word[starts]] |= np.bitwise_or.reduceat(_bits_of(piece), starts)

    def doubled(self) -> IdentityFilter:
        """A filter of twice the size that admits at least what this one does.

        It is made without the entries, at once: a word becomes two equal ones, because the words are
        chosen by the leading bits. It admits more than a fresh one of its size: `stretched`.
        """
        words = np.repeat(self._words, 2)
        return IdentityFilter(words.nbytes, words, stretched=True)

    def _word_of(self, hashes: U64) -> U64:
        # A word's number below 2**32 times the upper half cannot overflow. 0 <= result < number of words.
        word: U64 = ((hashes >> _HALF) * np.uint64(len(self._words))) >> _HALF
        return word


def filter_bytes_for(entries: int, bytes_max: int = FILTER_BYTES_MAX) -> int:
    """A size that gives so many entries `BITS_PER_ENTRY` each, or `bytes_max` (at least 8) where that is less."""
    size = min(FILTER_BYTES_MIN, bytes_max)
    while size * 8 < entries * BITS_PER_ENTRY and size < bytes_max:
        size = min(size * 2, bytes_max)
    return size - size % WORD_BYTES


def _bits_of(hashes: U64) -> U64:
    bits = _ONE << (hashes & _BIT_MASK)
    for shift in _BIT_SHIFTS:
        bits |= _ONE << ((hashes >> shift) & _BIT_MASK)
    return bits
