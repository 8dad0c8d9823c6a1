"""Which filter of a charge an event belongs to, by the texts in its data.

An event matches a filter when it has one of the texts of the filter at each of its keys; no texts stand for all. It
belongs to the matching filter with the most keys, of several such ones to the first. Texts are compared as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

#: The keys of a filter, with their texts.
FilterValues = Mapping[str, Sequence[str]]

_NONE: Final = 0


class FilterMatcher:
    """Matches events with filters, in a time that does not grow with the number of texts.

    Filters are the bits of an integer, the preferred ones lowest: those with more keys, then those that come first.
    Each key tells which filters a text leaves; the preferred one of those that all keys leave is the answer.
    """

    def __init__(self, filters: Sequence[FilterValues]) -> None:
        #: All keys of the filters, in the order of their first use.
        self.keys: Final = tuple(dict.fromkeys(key for one in filters for key in one))
        self._preferred = sorted(range(len(filters)), key=lambda number: -len(filters[number]))
        self._unnamed = dict.fromkeys(self.keys, _NONE)  # filters without this key
        self._with_any = dict.fromkeys(self.keys, _NONE)  # filters without this key, or with all of its texts
        self._with_text: dict[str, dict[str, int]] = {key: {} for key in self.keys}
        for rank, number in enumerate(self._preferred):
            for key in self.keys:
                self._add(key, filters[number].get(key), 1 << rank)

    def matching(self, texts: Mapping[str, str | None]) -> int | None:
        """Return the index of the filter that an event with these texts, by key, belongs to; None: to no filter."""
        left = (1 << len(self._preferred)) - 1
        for key in self.keys:
            text = texts.get(key)
            if text is None:
                left &= self._unnamed[key]
            else:
                left &= self._with_any[key] | self._with_text[key].get(text, _NONE)
        return None if left == _NONE else self._preferred[(left & -left).bit_length() - 1]

    def _add(self, key: str, texts: Sequence[str] | None, bit: int) -> None:
        if texts is None:
            self._unnamed[key] |= bit
        if not texts:
            self._with_any[key] |= bit
        for text in texts or ():
            self._with_text[key][text] = self._with_text[key].get(text, _NONE) | bit
