"""What the tables of the benchmarks show of the results."""

from __future__ import annotations

from bench.reads import Latencies
from bench.suite import ReadResult
from bench.tables import reads_table


def test_a_read_of_a_dialect_is_shown_as_a_ratio_to_the_native_read_beside_it() -> None:
    measured = [
        Latencies("budget", "HTTP", 0.0, 0.004, 0.008, 0.016),
        Latencies("budget, LiteLLM /customer/info", "HTTP", 0.0, 0.005, 0.008, 0.016, native=0.004),
    ]
    ratios = reads_table(ReadResult(10, 100, measured)).columns[-1]
    assert [ratios.header, *ratios.cells] == ["p50 : native", "", "1.25"]
