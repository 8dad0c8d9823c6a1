"""What the tables of the benchmarks show of the results."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.table import Table

from bench.chain import ChainResult
from bench.quiet import PutOff
from bench.reads import Latencies
from bench.stored import FillResult
from bench.suite import Measured, ReadResult
from bench.tables import chain_table, put_off_table, reads_table, waits_table


def rows_of(table: Table) -> list[tuple[str, ...]]:
    return list(zip(*([str(cell) for cell in column.cells] for column in table.columns), strict=True))


def printed(table: Table, columns: int) -> str:
    console = Console(width=columns, file=StringIO())
    console.print(table)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_read_of_a_dialect_is_shown_as_a_ratio_to_the_native_read_beside_it() -> None:
    measured = [
        Latencies("budget", "HTTP", 0.0, 0.004, 0.008, 0.016),
        Latencies("budget, LiteLLM /customer/info", "HTTP", 0.0, 0.005, 0.008, 0.016, native=0.004),
    ]
    ratios = reads_table(ReadResult(10, 100, measured)).columns[-1]
    assert [ratios.header, *ratios.cells] == ["p50 : native", "", "1.25"]


def run_of_chain(ids: int, quiet: float) -> ChainResult:
    put_off = PutOff(fold=0.0, flush=1.25, merge=0.5, shrinking=0.75, rounds=2)
    return ChainResult(
        cores=1,
        ids=ids,
        events=200_000,
        bytes_per_event=350.0,
        quiet=quiet,
        chain=2 * quiet,
        put_off=put_off,
        decode_only=10 * quiet,
        arrow_insert_only=5 * quiet,
        counted=198_000,
        duplicates=2_000,
        duplicates_sent=2_000,
        append_longest=0.02,
        write_longest=0.3,
        owner_bytes=1,
        intake_bytes=1,
        compactions=0,
    )


def test_the_chain_is_shown_by_its_rate_until_quiet_with_the_ratios_first() -> None:
    runs = [run_of_chain(1_000, 50_000.0), run_of_chain(2_000, 40_000.0)]
    table = chain_table(Measured("short", 7, filled=[FillResult(1_000, 900, 1, 0.0, 0.0)], chain=runs))
    assert rows_of(table) == [
        ("1,000", "1", "0.100", "0.200", "1.00", "50,000", "100,000"),
        ("2,000", "1", "0.100", "0.200", "0.80", "40,000", "80,000"),
    ]
    assert "of them 900" in str(table.caption)


def test_what_was_put_off_and_the_waits_have_tables_of_their_own() -> None:
    runs = [run_of_chain(1_000, 50_000.0)]
    assert rows_of(put_off_table(runs)) == [("1,000", "1", "2.00", "0.00", "1.25", "0.50", "0.75")]
    assert rows_of(waits_table(runs)) == [("1,000", "1", "20", "300", "as sent")]


def test_the_tables_of_the_chain_fit_a_terminal_of_80_columns() -> None:
    runs = [run_of_chain(100_000_000, 123_456.0)]
    for table in (chain_table(Measured("full", 7, chain=runs)), put_off_table(runs), waits_table(runs)):
        assert [cell for row in rows_of(table) for cell in row if cell not in printed(table, 80)] == []
