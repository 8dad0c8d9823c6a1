"""A page of /customer/list is quick and the whole list streams in flat memory, with a budget for each customer."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from bench.http_load import Address, percentiles, read_latencies
from bench.listing import ListRun, add_profiles, measure
from bench.serving import serving
from bench.stored import Filling, fill

FEW, MILLION = 1_000, 1_000_000
#: The time for a page of a million against one of a few. One more statement per customer of the page, or one scan of
#: all customers, takes more than this.
PAGE_TO_PAGE_MAX: Final = 1.7
#: Both are asked in turns, so that the speed of the machine cancels out; the best of these turns counts for each, so
#: that other load on the machine does not.
_TURNS: Final = 10
_TURN_SECONDS: Final = 0.5
STREAMED: Final = 100_000
#: The stream may add this much to the peak memory of a server that has answered pages; it sends more than this.
STREAM_BYTES_MAX: Final = 48 * 1024**2


@pytest.mark.slow
def test_the_first_page_of_a_million_customers_is_as_quick_as_that_of_a_few(tmp_path: Path) -> None:
    few, million = (_folder_of(tmp_path / str(customers), customers) for customers in (FEW, MILLION))
    with serving(few) as server, serving(million) as larger:
        turns = [(_page_seconds(server.address), _page_seconds(larger.address)) for _ in range(_TURNS)]
    best_of_few, best_of_million = (min(times) for times in zip(*turns, strict=True))
    assert best_of_million < PAGE_TO_PAGE_MAX * best_of_few


def _folder_of(folder: Path, customers: int) -> Path:
    fill(Filling(str(folder), 0, customers, customers, 0, 7))
    add_profiles(folder)
    return folder


def _page_seconds(address: Address) -> float:
    """The median time of the first page over one turn."""
    return percentiles(read_latencies(address, ["/customer/list?page=1"], _TURN_SECONDS))[0]


@pytest.mark.slow
def test_the_whole_list_is_streamed_in_flat_memory(tmp_path: Path) -> None:
    filling = Filling(str(tmp_path / "data"), 0, STREAMED, STREAMED, 0, 7)
    stream = measure(ListRun(filling, 0.2)).stream
    assert (stream.customers, stream.sent_bytes > STREAM_BYTES_MAX) == (STREAMED, True)
    assert stream.owner_bytes_after - stream.owner_bytes_before < STREAM_BYTES_MAX
    assert stream.first_seconds < stream.seconds / 4
