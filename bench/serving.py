"""HTTP intake and reads against a real `meterfold serve`, whose processes share the cores with the client."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from bench.http_load import Address, LoadResult, LoadRun, percentiles, read_latencies
from bench.processes import ROOT, clean_environment, largest_child_bytes, peak_bytes, run_step
from bench.reads import Latencies, ReadRun, budgeted_customers, customers_asked
from consumers.embedded.folded_position import FoldedPositionReader

_COMMAND: Final = "from api.cli.main import main; main()"
STOP_SECONDS_MAX: Final = 60.0
KEY: Final = "sk-of-a-measurement-only"
SINGLE_CONNECTIONS: Final = 64
BATCH_CONNECTIONS: Final = 8
EVENTS_PER_BATCH: Final = 1_000
WARMING_SECONDS: Final = 1.0
#: Those that dialects are asked about: so few that the measurement begins when all were asked about.
HOT_CUSTOMERS: Final = 10


class HttpRun(msgspec.Struct, frozen=True):
    """One measurement, which sends each kind of request for `seconds`."""

    folder: str
    seconds: float
    customers: int
    seed: int


class HttpResult(msgspec.Struct, frozen=True):
    """The results of single events and of batches, and the peak memory of both processes."""

    single: LoadResult
    batches: LoadResult
    owner_bytes: int
    intake_bytes: int


class RunningServer:
    """A running `meterfold serve`."""

    def __init__(self, process: subprocess.Popen[bytes], address: Address) -> None:
        self._process = process
        self.address = address

    def memory(self) -> tuple[int, int]:
        """The peak memory of the owner and of its intake process."""
        return peak_bytes(self._process.pid), largest_child_bytes(self._process.pid)


@contextmanager
def serving(folder: Path) -> Iterator[RunningServer]:
    """Run the real command on a folder within the context, with default settings but for Respan's limit of requests."""
    arguments = ["serve", "--data", str(folder), "--port", "0", "--json"]
    environment = clean_environment(
        METERFOLD_ADMIN_KEY=KEY, METERFOLD_LOG_LEVEL="error", METERFOLD_RESPAN_MINUTE_REQUESTS_MAX="0"
    )
    with subprocess.Popen(
        [sys.executable, "-c", _COMMAND, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            started = json.loads(process.stdout.readline() or b"{}")
            url = urlsplit(started["url"])
            yield RunningServer(
                process, Address(str(url.hostname), int(url.port or 0), Path(started["key_file"]).read_text().strip())
            )
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS_MAX)


def measure(run: HttpRun) -> HttpResult:
    """Send single events, then batches, into a new folder."""
    with serving(Path(run.folder)) as server:
        single = run_step("load", _load(server, run, 1, SINGLE_CONNECTIONS, 0, 12_000), LoadResult)
        batches = run_step("load", _load(server, run, EVENTS_PER_BATCH, BATCH_CONNECTIONS, 1, 120_000), LoadResult)
        memory = server.memory()
    return HttpResult(single, batches, *memory)


def measure_reads(run: ReadRun) -> list[Latencies]:
    """Read usage and budgets over HTTP on a filled folder, alone and, some, while batches come in."""
    measured = []
    asked, budgeted = customers_asked(run), budgeted_customers(run)
    since = (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    paths = {
        "current usage": [f"/v1/customers/{name}/current-usage" for name in asked],
        "budget": [f"/v1/customers/{name}/budget" for name in budgeted],
    }
    usage = [f"/v1/customers/{name}/usage?from={since}" for name in asked]
    of_dialects = {
        "budget, LiteLLM /customer/info": (
            paths["budget"],
            [f"/customer/info?end_user_id={name}" for name in budgeted],
        ),
        "budget, Respan GET user": (paths["budget"], [f"/respan/api/users/{name}/" for name in budgeted]),
        "usage of 30 days, PromptShuttle": (usage, [f"/promptshuttle/api/v1/customers/{name}/usage" for name in asked]),
    }
    intake = HttpRun(run.filling.folder, 2 * run.seconds + WARMING_SECONDS, run.filling.customers, run.filling.seed + 5)
    with serving(Path(run.filling.folder)) as server, ThreadPoolExecutor(1) as pool:
        for question, asked_for in paths.items():
            p50, p99, longest = percentiles(read_latencies(server.address, asked_for, run.seconds))
            measured.append(Latencies(question, "HTTP", 0.0, p50, p99, longest))
        for question, (native, dialect) in of_dialects.items():
            measured.append(_beside_native(server.address, question, native, dialect, run.seconds))
        load = _load(server, intake, EVENTS_PER_BATCH, BATCH_CONNECTIONS // 2, 2, 120_000)
        coming: Future[LoadResult] = pool.submit(run_step, "load", load, LoadResult)
        _wait_until_folding(Path(run.filling.folder))
        read_latencies(server.address, paths["budget"], WARMING_SECONDS)
        found = {name: read_latencies(server.address, asked_for, run.seconds) for name, asked_for in paths.items()}
        rate = coming.result().per_second
        measured += [Latencies(name, "HTTP", rate, *percentiles(values)) for name, values in found.items()]
    return measured


def _beside_native(
    address: Address, question: str, native: Sequence[str], dialect: Sequence[str], seconds: float
) -> Latencies:
    """Ask the native API and a dialect in turns about a few customers, over and over, once all were asked about."""
    few = zip(native[:HOT_CUSTOMERS], dialect[:HOT_CUSTOMERS], strict=True)
    in_turns = [path for of_one in few for path in of_one]
    read_latencies(address, in_turns, WARMING_SECONDS)
    latencies = read_latencies(address, in_turns, seconds)
    return Latencies(question, "HTTP", 0.0, *percentiles(latencies[1::2]), percentiles(latencies[::2])[0])


def _wait_until_folding(folder: Path) -> None:
    """Wait until events of the load are folded: making them takes a while before it sends any."""
    position = FoldedPositionReader(folder)
    first, until = position.read(), time.monotonic() + STOP_SECONDS_MAX
    while position.read() == first:
        if time.monotonic() > until:
            raise TimeoutError("no load came within the time of a benchmark")
        time.sleep(0.05)
    position.close()


def _load(
    server: RunningServer,
    run: HttpRun,
    events_per_request: int,
    connections: int,
    number: int,
    events_per_second_max: int,
) -> LoadRun:
    return LoadRun(
        address=server.address,
        connections=connections,
        events_per_request=events_per_request,
        events=int(events_per_second_max * (run.seconds + WARMING_SECONDS)),
        customers=run.customers,
        seed=run.seed + number,
        warming_seconds=WARMING_SECONDS,
        seconds=run.seconds,
    )
