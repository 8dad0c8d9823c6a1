"""A page of /customer/list is quick and the whole list streams in flat memory, with a budget for each customer."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from bench.http_load import percentiles, read_latencies
from bench.listing import ListRun, add_profiles, measure
from bench.serving import serving
from bench.stored import Filling, fill

FEW, MILLION = 1_000, 1_000_000
#: The time for a page of a million against one of a few, measured in the same minute so that the speed of the machine
#: cancels out. One more statement per customer of the page, or one scan of all customers, takes more than this.
PAGE_TO_PAGE_MAX: Final = 1.7
#: The best of this many measurements counts, so that other load on the machine does not.
_TIMES: Final = 3
STREAMED: Final = 100_000
#: The stream may add this much to the peak memory of a server that has answered pages; it sends more than this.
STREAM_BYTES_MAX: Final = 48 * 1024**2


@pytest.mark.slow
def test_the_first_page_of_a_million_customers_is_as_quick_as_that_of_a_few(tmp_path: Path) -> None:
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
def test_the_whole_list_is_streamed_in_flat_memory(tmp_path: Path) -> None:
    filling = Filling(str(tmp_path / "data"), 0, STREAMED, STREAMED, 0, 7)
    stream = measure(ListRun(filling, 0.2)).stream
    assert (stream.customers, stream.sent_bytes > STREAM_BYTES_MAX) == (STREAMED, True)
    assert stream.owner_bytes_after - stream.owner_bytes_before < STREAM_BYTES_MAX
    assert stream.first_seconds < stream.seconds / 4
