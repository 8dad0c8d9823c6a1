"""What many requests used, as columns: the quantities that a price turns into costs.

Of each request there are the common units, which most report. Everything else is rare and sparse: a quantity of
another unit, a context that chooses a price, a number of requests that is not 1, and usage that was not told at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Decimals of quantities of units without a column of their own.
QUANTITY_DECIMALS: Final = 12

#: A context as pairs of member and value in order of member, such as ("service_tier", "flex").
PriceContext = tuple[tuple[str, str], ...]
NO_CONTEXT: Final[PriceContext] = ()


class ExtraQuantities(msgspec.Struct, frozen=True):
    """Quantities that were reported in units without a column, 0 included, in ascending order of row.

    `rows`: the request of each. `codes`: its unit, as an index of `units`. `picounits`: how much, in 10^-12 of the
    unit; Python integers, because 128 bits are needed.
    """

    rows: Ints
    codes: Ints
    units: tuple[str, ...]
    picounits: list[int]


class Quantities(msgspec.Struct, frozen=True):
    """What n requests used. Columns have n values; those that are None say the same of every request.

    `tokens`: the columns of the common units, in their order. `requests`: how many requests each row stands for
    (None: one). `known`: whether anything was told (None: of each). `context_codes`: the context of each as an index of
    `contexts` (None: none has one; a request without one has the code -1).
    """

    tokens: tuple[Ints, ...]
    extras: ExtraQuantities | None = None
    requests: Ints | None = None
    known: Bools | None = None
    contexts: tuple[PriceContext, ...] = ()
    context_codes: Ints | None = None

    def __len__(self) -> int:
        return len(self.tokens[0])

    def take(self, rows: npt.NDArray[np.intp]) -> Quantities:
        """Return the quantities of some requests, in the order of `rows`, each of which is named at most once."""
        return Quantities(
            tuple(column[rows] for column in self.tokens),
            None if self.extras is None else _extras_of(self.extras, rows, len(self)),
            None if self.requests is None else self.requests[rows],
            None if self.known is None else self.known[rows],
            self.contexts,
            None if self.context_codes is None else self.context_codes[rows],
        )


def _extras_of(extras: ExtraQuantities, rows: npt.NDArray[np.intp], count: int) -> ExtraQuantities | None:
    place = np.full(count, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    places = place[extras.rows]
    chosen = np.flatnonzero(places >= 0)
    if not len(chosen):
        return None
    order = chosen[np.argsort(places[chosen], kind="stable")]
    return ExtraQuantities(places[order], extras.codes[order], extras.units, _of(extras.picounits, order))


def _of(values: Sequence[int], order: npt.NDArray[np.intp]) -> list[int]:
    return [values[index] for index in order.tolist()]
