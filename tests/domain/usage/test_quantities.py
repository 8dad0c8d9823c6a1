"""Quantities of some of many requests are taken with everything that is told of each."""

from __future__ import annotations

import numpy as np

from domain.usage.quantities import ExtraQuantities, Quantities


def _ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def test_rows_are_taken_in_the_order_asked_for() -> None:
    quantities = Quantities(
        tokens=(_ints(1, 2, 3), _ints(10, 20, 30)),
        extras=ExtraQuantities(_ints(0, 2, 2), _ints(0, 1, 0), ("web_searches", "audio_seconds"), [7, 8, 9]),
        requests=_ints(1, 5, 6),
        known=np.array([True, False, True]),
        contexts=((("service_tier", "flex"),),),
        context_codes=_ints(-1, 0, -1),
    )
    taken = quantities.take(np.array([2, 1]))
    assert [column.tolist() for column in taken.tokens] == [[3, 2], [30, 20]]
    assert taken.extras is not None
    assert (taken.extras.rows.tolist(), taken.extras.codes.tolist(), taken.extras.picounits) == ([0, 0], [1, 0], [8, 9])
    assert taken.requests is not None
    assert taken.known is not None
    assert taken.context_codes is not None
    assert (taken.requests.tolist(), taken.known.tolist(), taken.context_codes.tolist()) == (
        [6, 5],
        [True, False],
        [-1, 0],
    )
    assert len(taken) == 2


def test_extra_quantities_of_other_rows_are_left_out() -> None:
    quantities = Quantities((_ints(1, 2),), ExtraQuantities(_ints(0), _ints(0), ("web_searches",), [7]))
    assert quantities.take(np.array([1])).extras is None
