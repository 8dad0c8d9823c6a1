"""Tables of the measurements, one for each question, with ratios that depend little on the machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.table import Table

from bench.chain import ChainResult
from bench.current_usage import UsageLatencies
from bench.endurance import Stage
from bench.fairness import SECONDS_MAX, Fairness
from bench.kafka.running import KafkaResult
from bench.kafka.tables import KAFKA_CAPTION, KAFKA_HEADINGS, kafka_memory, kafka_rows, kafka_title
from bench.listing import ListResult
from bench.peers.running import CORES, Peers
from bench.peers.tables import PEERS_HEADINGS, peers_caption, peers_rows, peers_title
from bench.profile_of_chain import Profile
from bench.reads import Latencies
from bench.rebuilding import RebuildResult, Space
from bench.serving import HttpResult
from bench.suite import CHARGE_FILTERS, Measured, ReadResult

_MEBIBYTE: Final = 1024 * 1024
#: Headings of columns with names; all others have numbers.
_NAMES: Final = frozenset(
    (
        "",
        "stage",
        "part",
        "process",
        "question",
        "through",
        "requests",
        "outcomes",
        "records",
        "reader",
        "store",
        "aggregation",
        "asked",
    )
)
_CHAIN_CAPTION: Final = (
    "Quiet: nothing is left to fold, flush or merge; the ratios are of this rate. Counted: committed "
    "with a row each, but much of that put off. Stored ids: random hashes in the real index, at positions of the log. "
    "Stored rows: made in DuckDB, sorted, with their days, without log records; of them {rows}. One core: owner and "
    "intake process share it. *: during flushes and merges of rows, rollups and index. Alone: msgspec "
    "decoding the same lines, and DuckDB inserting the same rows as Arrow with a commit every 10,000, both on one core "
    "in the run above."
)
_WAITS_CAPTION: Final = (
    "Writes: bodies of 10,000, six in flight, and single events between them, from sending to counted. "
    "Bounds: append 500 ms, write 1,500 ms."
)


def tables_of(measured: Measured) -> Iterator[Table]:
    """A table for every question that was measured."""
    if measured.chain:
        yield chain_table(measured)
        yield put_off_table(measured.chain)
        yield waits_table(measured.chain)
    if measured.peers is not None:
        yield from peers_tables(measured.peers)
    yield from map(profile_table, measured.profiles)
    if measured.rebuild is not None:
        yield rebuild_table(measured.rebuild)
    yield from map(reads_table, measured.reads)
    if measured.listed is not None:
        yield list_table(measured.listed)
    if measured.charges:
        yield charges_table(measured.charges)
    if measured.http is not None:
        yield http_table(measured.http)
    if measured.fairness:
        yield fairness_table(measured.fairness)
    if measured.kafka is not None:
        yield kafka_table(measured.kafka)
    if measured.space is not None:
        yield space_table(measured.space)
    if measured.endurance:
        yield endurance_table(measured.endurance)
    memory = list(_memory(measured))
    if memory:
        yield _table("(e) peak memory", ("process", "MiB"), memory)


def chain_table(measured: Measured) -> Table:
    """(a) Throughput of the chain until the engine is quiet."""
    size = measured.chain[0].bytes_per_event
    title = f"(a) NDJSON in until the engine is quiet; {size:.0f} B/event, 1% known"
    headings = (
        "stored\nids",
        "cores",
        "to\ndecode\nalone",
        "to\ninsert\nalone",
        "to\nfewest\nids",
        "quiet\nev/s",
        "counted\nev/s",
    )
    table = _table(title, headings, [_chain_row(result, measured) for result in measured.chain])
    table.caption = _CHAIN_CAPTION.format(rows=", ".join(f"{one.rows:,}" for one in measured.filled))
    return table


def _chain_row(result: ChainResult, measured: Measured) -> Sequence[str]:
    limits = next(one for one in measured.chain if one.ids == result.ids and one.decode_only)
    fewest = next(one for one in measured.chain if (one.cores, one.compactions > 0) == _configuration(result, measured))
    return (
        *_chain_names(result),
        f"{result.quiet / limits.decode_only:.3f}",
        f"{result.quiet / limits.arrow_insert_only:.3f}",
        f"{result.quiet / fewest.quiet:.2f}",
        f"{result.quiet:,.0f}",
        f"{result.chain:,.0f}",
    )


def put_off_table(results: Sequence[ChainResult]) -> Table:
    """(a) Work between counted and quiet."""
    rows = [
        (
            *_chain_names(result),
            f"{result.chain / result.quiet:.2f}",
            *(
                f"{seconds:.2f}"
                for seconds in (
                    result.put_off.fold,
                    result.put_off.flush,
                    result.put_off.merge,
                    result.put_off.shrinking,
                )
            ),
        )
        for result in results
    ]
    headings = (
        "stored\nids",
        "cores",
        "counted\n: quiet",
        "fold\ns",
        "flush\ns",
        "merge\ns",
        "shrink\ns",
    )
    return _table("(a) what was put off until the last event was counted", headings, rows)


def waits_table(results: Sequence[ChainResult]) -> Table:
    """(a) Waits during the chain, and its outcomes."""
    rows = []
    for result in results:
        right = result.duplicates == result.duplicates_sent and result.counted >= result.events - result.duplicates_sent
        rows.append(
            (
                *_chain_names(result),
                f"{result.append_longest * 1e3:,.0f}",
                f"{result.write_longest * 1e3:,.0f}",
                "as sent" if right else f"WRONG: {result.counted:,} counted, {result.duplicates:,} duplicates",
            )
        )
    headings = ("stored\nids", "cores", "longest\nappend ms", "longest\nwrite ms", "outcomes")
    table = _table("(a) waits meanwhile", headings, rows)
    table.caption = _WAITS_CAPTION
    return table


def _chain_names(result: ChainResult) -> Sequence[str]:
    return f"{result.ids:,}", f"{result.cores}{'*' if result.compactions else ''}"


def _configuration(result: ChainResult, measured: Measured) -> tuple[int, bool]:
    """The cores of a run, and whether it was compacting."""
    configurations = {(one.cores, one.compactions > 0) for one in measured.chain}
    configuration = (result.cores, result.compactions > 0)
    return configuration if configuration in configurations else (result.cores, False)


def peers_tables(peers: Peers) -> Iterator[Table]:
    """(a) The engine beside other stores, by cores."""
    for cores in CORES:
        table = _table(peers_title(cores), PEERS_HEADINGS, peers_rows(peers, cores))
        if cores == CORES[-1]:
            table.caption = peers_caption(peers)
        yield table


def profile_table(profile: Profile) -> Table:
    """A profile of the chain, by stages."""
    rows = []
    for half in ("intake", "fold"):
        shares = [share for share in profile.stages if share.half == half]
        for one in shares:
            longest = f"{one.longest_ms:.1f}" if one.longest_ms else ""
            rows.append((half, one.stage, f"{one.microseconds:.2f}", _share(one.microseconds, profile), longest))
        whole = sum(share.microseconds for share in shares)
        rows.append((half, "[bold]total[/bold]", f"{whole:.2f}", _share(whole, profile), ""))
    title = (
        f"profile of the chain, {profile.events_per_body:,} events at a time: {profile.microseconds:,.2f} us per event "
        "on one core, stage after stage"
    )
    table = _table(title, ("", "stage", "us/event", "share", "longest call ms"), rows)
    if profile.not_found:
        table.caption = f"Not found in the engine: {', '.join(profile.not_found)}"
    return table


def _share(microseconds: float, profile: Profile) -> str:
    return f"{microseconds / profile.microseconds:.1%}"


def rebuild_table(result: RebuildResult) -> Table:
    """(b) Throughput of a rebuild."""
    return _table(
        "(b) rebuild from the first record, one core",
        ("events", "numbers, events/s", "all, events/s", "plain GROUP BY rows/s", "all : GROUP BY", "peak MiB"),
        [
            (
                f"{result.events:,}",
                f"{result.numbers:,.0f}",
                f"{result.rebuild:,.0f}",
                f"{result.group_by:,.0f}",
                f"{result.rebuild / result.group_by:.4f}",
                f"{result.peak_bytes / _MEBIBYTE:,.0f}",
            )
        ],
    )


def reads_table(reads: ReadResult) -> Table:
    """(c) Latency of reads."""
    title = f"(c) reads at {reads.customers:,} customers, {reads.rows:,} rows"
    headings = (
        "question",
        "through",
        "events/s meanwhile",
        "p50 ms",
        "p99 ms",
        "longest ms",
        "p99 : alone",
        "p50 : native",
    )
    alone = {(one.question, one.through): one.p99 for one in reads.latencies if not one.ingesting}
    return _table(title, headings, [_read_row(one, alone[one.question, one.through]) for one in reads.latencies])


def _read_row(one: Latencies, alone: float) -> Sequence[str]:
    return (
        one.question,
        one.through,
        f"{one.ingesting:,.0f}" if one.ingesting else "alone",
        *(f"{seconds * 1e3:.2f}" for seconds in (one.p50, one.p99, one.longest)),
        f"{one.p99 / alone:.1f}",
        f"{one.p50 / one.native:.2f}" if one.native else "",
    )


def list_table(result: ListResult) -> Table:
    """(g) Latency and memory of `/customer/list`."""
    stream = result.stream
    rows = [
        (f"page {one.page:,}", *(f"{seconds * 1e3:,.1f}" for seconds in (one.p50, one.p99, one.longest)), "", "", "")
        for one in result.pages
    ]
    sizes = (stream.sent_bytes, stream.owner_bytes_before, stream.owner_bytes_after)
    mebibytes = (f"{size / _MEBIBYTE:,.0f}" for size in sizes)
    rows.append(("all customers in one stream", f"{stream.seconds * 1e3:,.0f}", "", "", *mebibytes))
    title = f"(g) /customer/list over HTTP at {result.customers:,} customers, each on a budget of its own"
    headings = ("question", "p50 ms", "p99 ms", "longest ms", "MiB sent", "owner's peak MiB before", "and after")
    return _table(title, headings, rows)


def charges_table(found: Sequence[UsageLatencies]) -> Table:
    """(i) Latency of the current usage of a subscription with many charge filters."""
    empty = {one.aggregation: one.p50 for one in found if not one.events}
    rows = [
        (
            one.aggregation,
            one.way,
            f"{one.events:,}",
            f"{one.asked:,}",
            *(f"{seconds * 1e3:,.1f}" for seconds in (one.p50, one.p99, one.longest)),
            f"{one.p50 / empty[one.aggregation]:.1f}",
        )
        for one in found
    ]
    title = f"(i) current usage over HTTP of a subscription, a charge of {CHARGE_FILTERS:,} filters"
    headings = ("aggregation", "asked", "events", "times", "p50 ms", "p99 ms", "longest ms", "p50 : no event")
    return _table(title, headings, rows)


def http_table(result: HttpResult) -> Table:
    """(d) Throughput of HTTP intake."""
    rows = []
    for name, load in (("single events", result.single), ("batches of 1,000", result.batches)):
        others = sum(count for status, count in load.statuses.items() if status != "200")
        rows.append(
            (
                name,
                f"{load.per_second:,.0f}",
                f"{load.per_second / max(result.batches.per_second, 1e-9):.4f}",
                *(f"{seconds * 1e3:.1f}" for seconds in (load.p50, load.p99, load.longest)),
                f"{others:,}",
            )
        )
    headings = ("requests", "events/s (200s)", "to batches", "p50 ms", "p99 ms", "longest ms", "other answers")
    return _table("(d) HTTP intake; server family and client share all cores", headings, rows)


def fairness_table(found: Sequence[Fairness]) -> Table:
    """(h) Latency of single events beside worst-case bodies."""
    rows = [
        (
            f"{one.neighbours} that send {one.kind}" if one.neighbours else "nobody",
            f"{one.single_events:,}",
            *(f"{seconds * 1e3:,.1f}" for seconds in (one.p50, one.p99, one.longest)),
            f"{one.p99 / SECONDS_MAX:.2f}",
            ", ".join(f"{count:,} x {status}" for status, count in sorted(one.answers.items())),
        )
        for one in found
    ]
    title = "(h) One client's single events beside clients that send worst-case bodies without pause"
    headings = ("beside", "events", "p50 ms", "p99 ms", "longest ms", f"p99 to {SECONDS_MAX * 1e3:.0f} ms", "answers")
    return _table(title, headings, rows)


def kafka_table(result: KafkaResult) -> Table:
    """(f) Throughput of consuming from Kafka."""
    table = _table(kafka_title(result), KAFKA_HEADINGS, list(kafka_rows(result)))
    table.caption = KAFKA_CAPTION
    return table


def space_table(space: Space) -> Table:
    """(e) Space on disk per event."""
    parts = (
        ("log", space.log),
        ("rows", space.rows),
        ("rollups", space.rollups),
        ("index", space.index),
        ("the rest of the read store", space.other),
        ("total", space.total),
    )
    rows = [(name, f"{size / space.events:.1f}", f"{size / space.total:.1%}") for name, size in parts]
    title = f"(e) bytes on disk per event, {space.events:,} events, when quiet"
    return _table(title, ("part", "bytes/event", "share"), rows)


def endurance_table(stages: Sequence[Stage]) -> Table:
    """Memory as events accumulate."""
    rows = [
        (one.name, f"{one.events:,}", f"{one.per_second:,.0f}", f"{one.anonymous_bytes / _MEBIBYTE:,.0f}", one.findings)
        for one in stages
    ]
    headings = ("stage", "events then", "events/s", "most memory MiB", "findings")
    return _table("endurance: memory by events in the folder", headings, [[*map(str, row)] for row in rows])


def _memory(measured: Measured) -> Iterator[tuple[str, str]]:
    sizes: list[tuple[str, int]] = []
    for ids in sorted({one.ids for one in measured.chain}):
        runs = [one for one in measured.chain if one.ids == ids]
        sizes.append((f"owner, chain at {ids:,} ids", max(one.owner_bytes for one in runs)))
        sizes.append((f"intake, chain at {ids:,} ids", max(one.intake_bytes for one in runs)))
    if measured.rebuild is not None:
        sizes.append(("rebuild", measured.rebuild.peak_bytes))
    if measured.http is not None:
        sizes.append(("owner, HTTP", measured.http.owner_bytes))
        sizes.append(("intake, HTTP", measured.http.intake_bytes))
    yield from ((name, f"{size / _MEBIBYTE:,.0f}") for name, size in sizes)
    if measured.kafka is not None:
        yield from kafka_memory(measured.kafka)


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in _NAMES else "right")
    for row in rows:
        table.add_row(*row)
    return table
