"""A page of customers comes at once and everybody in flat memory, also with a budget for each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from bench.http_load import percentiles, read_latencies
from bench.listing import ListRun, add_profiles, measure
from bench.serving import serving
from bench.stored import Filling, fill

FEW, MILLION = 1_000, 1_000_000
#: A page of a million against one of a few, in the same minute: how fast a machine is is no matter of the page. A
#: statement more for each customer of the page, or one look at every customer there is, is more than that.
PAGE_TO_PAGE_MAX: Final = 1.7
#: Of so many times a second each the best one counts, and neither is other work on the machine.
_TIMES: Final = 3
STREAMED: Final = 100_000
#: What the stream may add to the peak of a server that answered pages before; it sends more than that.
STREAM_BYTES_MAX: Final = 48 * 1024**2


@pytest.mark.slow
def test_the_first_page_of_a_million_customers_comes_as_quickly_as_that_of_a_few(tmp_path: Path) -> None:
    few, million = (_page_seconds(tmp_path / str(customers), customers) for customers in (FEW, MILLION))
    assert million < PAGE_TO_PAGE_MAX * few


def _page_seconds(folder: Path, customers: int) -> float:
    filling = Filling(str(folder), 0, customers, customers, 0, 7)
    fill(filling)
    add_profiles(folder)
    with serving(folder) as server:
        asked = [read_latencies(server.address, ["/customer/list?page=1"], 1.0) for _ in range(_TIMES)]
    return min(percentiles(latencies)[0] for latencies in asked)


@pytest.mark.slow
def test_everybody_comes_piece_by_piece_in_flat_memory(tmp_path: Path) -> None:
    filling = Filling(str(tmp_path / "data"), 0, STREAMED, STREAMED, 0, 7)
    stream = measure(ListRun(filling, 0.2)).stream
    assert (stream.customers, stream.sent_bytes > STREAM_BYTES_MAX) == (STREAMED, True)
    assert stream.owner_bytes_after - stream.owner_bytes_before < STREAM_BYTES_MAX
    assert stream.first_seconds < stream.seconds / 4
