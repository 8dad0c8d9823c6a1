"""The suite of measurements and their sizes. They run one after the other, never two at a time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from bench.chain import ChainResult, ChainRun
from bench.current_usage import UsageLatencies, UsageRun
from bench.endurance import EnduranceRun, Stage
from bench.fairness import BODIES, Fairness, FairnessRun
from bench.kafka import running as kafka_running
from bench.kafka.running import KafkaResult
from bench.listing import ListResult, ListRun
from bench.peers import running as peers_running
from bench.peers.running import Peers
from bench.processes import run_step
from bench.profile_of_chain import Profile, ProfileRun
from bench.reads import Latencies, ReadRun
from bench.rebuilding import RebuildResult, RebuildRun, Space
from bench.serving import HttpResult, HttpRun
from bench.stored import Filling, FillResult

CHAIN: Final = "chain"
PEERS: Final = "peers"
PROFILE: Final = "profile"
REBUILD: Final = "rebuild"
READS: Final = "reads"
HTTP: Final = "http"
ENDURANCE: Final = "endurance"
KAFKA: Final = "kafka"
LIST: Final = "list"
FAIRNESS: Final = "fairness"
CHARGES: Final = "charges"
QUESTIONS: Final = (CHAIN, PEERS, PROFILE, REBUILD, READS, LIST, CHARGES, HTTP, FAIRNESS, KAFKA, ENDURANCE)

CUSTOMERS: Final = 10_000
KNOWN_SHARE: Final = 100  # one in this many events was sent before
CHAIN_RUNS: Final = 3
#: For each kind of body; the last bodies are waited for in addition.
FAIRNESS_SECONDS: Final = 2.0
ENDURED_PIECES: Final = 5
#: Of the charge whose current usage is asked for.
CHARGE_FILTERS: Final = 1_500
#: Events, and events per body: bulk, and as many single events as a busy server gets between two commits.
PROFILE_SIZES: Final = ((100_000, 10_000), (2_000, 20))


class Sizes(msgspec.Struct, frozen=True):
    """The sizes of one form of the suite. At most `rows_max` rows are filled in; `disk_bytes` must be free."""

    name: str
    ids: tuple[int, ...]
    rows_max: int
    events: int
    customers_read: tuple[int, ...]
    rows_per_customer: int
    customers_listed: int  # with one row each
    events_charged: int  # of one subscription
    seconds_read: float
    seconds_http: float
    endured: int  # events; 0: no endurance run
    peer_rounds: int  # of the engine beside other stores, in turns
    disk_bytes: int


SHORT: Final = Sizes(
    "short", (100_000, 10_000_000), 10_000_000, 200_000, (100_000,), 10, 10_000, 100_000, 2.0, 5.0, 0, 1, 4 * 1024**3
)
FULL: Final = Sizes(
    "full",
    (100_000, 10_000_000, 100_000_000),
    20_000_000,
    1_000_000,
    (10_000, 1_000_000),
    10,
    1_000_000,
    1_000_000,
    10.0,
    20.0,
    10_000_000,
    3,
    24 * 1024**3,
)


class ReadResult(msgspec.Struct, frozen=True):
    """The latencies of reads, and the numbers of customers and rows that were stored."""

    customers: int
    rows: int
    latencies: list[Latencies]


class Measured(msgspec.Struct):
    """All results; empty or None for questions that were not asked."""

    sizes: str
    seed: int
    filled: list[FillResult] = msgspec.field(default_factory=list)
    chain: list[ChainResult] = msgspec.field(default_factory=list)
    peers: Peers | None = None
    profiles: list[Profile] = msgspec.field(default_factory=list)
    rebuild: RebuildResult | None = None
    space: Space | None = None
    reads: list[ReadResult] = msgspec.field(default_factory=list)
    listed: ListResult | None = None
    charges: list[UsageLatencies] = msgspec.field(default_factory=list)
    http: HttpResult | None = None
    fairness: list[Fairness] = msgspec.field(default_factory=list)
    endurance: list[Stage] = msgspec.field(default_factory=list)
    kafka: KafkaResult | None = None


Report = Callable[[str], None]


class DiskTooSmall(Exception):
    """The disk has less free space than the folders of a run may need."""


def measure(
    sizes: Sizes,
    questions: frozenset[str],
    seed: int,
    below: Path | None,
    report: Report,
    kinds: Sequence[str] = tuple(BODIES),
) -> Measured:
    """Measure in temporary folders below `below`; `report` is called with each step. `kinds` of bodies: fairness."""
    measured = Measured(sizes.name, seed)
    with tempfile.TemporaryDirectory(prefix="meterfold-bench-", dir=below) as name:
        free = shutil.disk_usage(name).free
        if free < sizes.disk_bytes:
            raise DiskTooSmall(
                f"{name} has {free >> 30} GB free, but {sizes.disk_bytes >> 30} GB may be needed; use --folder DIR"
            )
        if questions & {CHAIN, PROFILE, REBUILD}:
            _chains(measured, sizes, questions, seed, Path(name), report)
        if PEERS in questions:
            with _folder(Path(name), "peers") as folder:
                measured.peers = peers_running.measure(folder, sizes.events, CUSTOMERS, seed, sizes.peer_rounds, report)
        if READS in questions:
            for customers in sizes.customers_read:
                measured.reads.append(_reads(sizes, customers, seed, Path(name), report))
        if LIST in questions:
            with _folder(Path(name), "list") as folder:
                report(f"/customer/list at {sizes.customers_listed:,} customers: single pages, then the whole list")
                listed = Filling(str(folder), 0, sizes.customers_listed, sizes.customers_listed, 0, seed)
                measured.listed = run_step("list", ListRun(listed, sizes.seconds_read / 2), ListResult)
        if CHARGES in questions:
            with _folder(Path(name), "charges") as folder:
                report(f"current usage of {CHARGE_FILTERS:,} charge filters and {sizes.events_charged:,} events")
                charged = UsageRun(str(folder), sizes.events_charged, CHARGE_FILTERS, sizes.seconds_read)
                measured.charges = run_step("current usage", charged, list[UsageLatencies])
        if HTTP in questions:
            with _folder(Path(name), "http") as folder:
                report(f"HTTP: single events and batches, {sizes.seconds_http:g} s each")
                run = HttpRun(str(folder), sizes.seconds_http, CUSTOMERS, seed)
                measured.http = run_step("http", run, HttpResult)
        if FAIRNESS in questions:
            with _folder(Path(name), "fairness") as folder:
                report(f"single events beside worst-case bodies of {len(kinds)} kinds, {FAIRNESS_SECONDS:g} s each")
                beside = FairnessRun(str(folder), FAIRNESS_SECONDS, CUSTOMERS, seed, tuple(kinds))
                measured.fairness = run_step("fairness", beside, list[Fairness])
        if ENDURANCE in questions and sizes.endured:
            with _folder(Path(name), "endurance") as folder:
                report(f"{sizes.endured:,} events in, then verify, then rebuild")
                enduring = EnduranceRun(str(folder), sizes.endured, ENDURED_PIECES, CUSTOMERS, seed)
                measured.endurance = run_step("endure", enduring, list[Stage])
                measured.endurance.append(run_step("endure rebuild", enduring, Stage))
        if KAFKA in questions:
            with _folder(Path(name), "kafka") as folder:
                measured.kafka = kafka_running.measure(folder, sizes.events, CUSTOMERS, seed, report)
    return measured


def _chains(
    measured: Measured, sizes: Sizes, questions: frozenset[str], seed: int, below: Path, report: Report
) -> None:
    for number, ids in enumerate(sizes.ids if CHAIN in questions else sizes.ids[:1]):
        with _folder(below, f"ids-{ids}") as folder:
            known = CHAIN_RUNS * sizes.events // KNOWN_SHARE
            filling = Filling(str(folder), ids, min(ids, sizes.rows_max), CUSTOMERS, known, seed)
            report(f"storing {ids:,} ids and {filling.rows:,} rows")
            measured.filled.append(run_step("fill", filling, FillResult))
            last = number == len(sizes.ids) - 1
            for run_number, (cores, compacting) in enumerate(((1, False), (2, False), (2, True))):
                report(f"{sizes.events:,} events in, {cores} core(s){', compacting' if compacting else ''}")
                known_each = sizes.events // KNOWN_SHARE
                run = ChainRun(filling, sizes.events, known_each, run_number, compacting, limits=run_number == 0)
                measured.chain.append(run_step("chain", run, ChainResult, cores))
                if CHAIN not in questions and REBUILD not in questions:
                    break
            if PROFILE in questions and (last or CHAIN not in questions):
                report("where the time goes")
                for events, events_per_body in PROFILE_SIZES:
                    profile_run = ProfileRun(filling, events, events_per_body)
                    measured.profiles.append(run_step("profile", profile_run, Profile, 1))
            if REBUILD in questions and number == 0:
                report("rebuilding from the first record, then measuring files")
                of_folder = RebuildRun(str(folder))
                measured.rebuild = run_step("rebuild", of_folder, RebuildResult, 1)
                measured.space = run_step("space", of_folder, Space)


def _reads(sizes: Sizes, customers: int, seed: int, below: Path, report: Report) -> ReadResult:
    with _folder(below, f"customers-{customers}") as folder:
        rows = customers * sizes.rows_per_customer
        filling = Filling(str(folder), 0, rows, customers, 0, seed)
        report(f"storing {rows:,} rows of {customers:,} customers")
        run_step("fill", filling, FillResult)
        report("reads: functions, then HTTP, alone and while events come in")
        run = ReadRun(filling, sizes.seconds_read)
        return ReadResult(
            customers, rows, [*run_step("reads", run, list[Latencies]), *run_step("http reads", run, list[Latencies])]
        )


@contextmanager
def _folder(below: Path, name: str) -> Iterator[Path]:
    """A folder that is removed at the end, so that the disk holds one at a time."""
    folder = below / name
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
