"""Law 6: SIGKILL at random moments under load loses no acknowledged event and counts none twice.

TEST_KILLS (50) and TEST_SEED choose how often and when; `make soak-kills` kills 1,000 times, in ten parts. The seed
gives the plan: whom to kill, when, and what the clients send; which thread is where at that moment it cannot give.

Victims: the owner, its children (the intake), or all. Moments: many after a random time under load; some aimed at an
append, some at its end, before it is folded, many at a flush of the read side, some at a merge of its generations; some
while the owner is still starting. To aim is to wait from outside and to stop the processes; when none of them is still
in the middle, as the stopped processes and their files show, they run on and the next one is waited for, a limited time
long. The engine flushes a few events at a time, sorts each flush, and merges every second, so that all of that goes on
under the kills, and the fold has to wait for it now and then. One client opens, loads, commits and
reverts backfills. The printed spread counts what
`tests.laws.kills.dying_processes` saw:

- ahead: the owner died, and after that, before the restart, the log held records that the read store had not folded.
  A kill that leaves the owner alive is never counted as such.
- mid-append, mid-flush, mid-merge: a killed process was in the middle of one, as `Moment` defines it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random

import httpx
import pytest

from consumers.embedded.data_folder import DataFolder
from tests.laws.kills import dying_processes
from tests.laws.kills.backfiller import Backfiller
from tests.laws.kills.clients import HEADERS, SENDING_SECONDS_MAX, Client, ExpectedEvent, JsonObject
from tests.laws.kills.dying_processes import Moment
from tests.laws.kills.watched_files import WatchedFiles
from tests.meterfold_process import ROOT, Server, meterfold, serving

SEED = int(os.environ.get("TEST_SEED") or time.time_ns() % 1_000_000)
KILLS = int(os.environ.get("TEST_KILLS") or 50)
#: A fresh data folder after so many, so that what has to be compared at the end stays small.
KILLS_OF_FOLDER_MAX = 100
KILLS_BETWEEN_VERIFICATIONS = 25
#: With fewer kills their spread says nothing.
KILLS_FOR_SHARES_MIN = 50
#: Least shares of all kills.
SHARES_MIN = {"ahead": 0.2, "mid-append": 0.1, "mid-upkeep": 0.2}
CLIENTS = 4
AIM_SECONDS_MAX = 1.5
LOOK_SECONDS = 0.0001
BUSY_UPKEEP = {
    "METERFOLD_EVENT_LOG_SEAL_INTERVAL_SECONDS": "1",
    "METERFOLD_FLUSH_RECORDS_MAX": "60",
    "METERFOLD_FLUSH_INTERVAL_SECONDS": "1",
    "METERFOLD_COMPACT_INTERVAL_SECONDS": "1",
    "METERFOLD_COMPACT_DELTAS_MIN": "30",
    "METERFOLD_COMPACT_ROWS_MIN": "30",
    "METERFOLD_IDENTITY_PENDING_ENTRIES_MAX": "10000",
    "METERFOLD_PERIOD_CLOSING_INTERVAL_SECONDS": "1",
}
#: How many of each twenty kills.
WHEN = {"load": 5, "append": 5, "appended": 2, "flush": 5, "merge": 2, "start": 1}
WHOM = {"owner": 7, "all": 8, "children": 5}


@dataclass
class Spread:
    """What the kills hit."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, whom: str, when: str, moment: Moment, ahead: bool) -> None:
        self.counts.update(("kills", f"of {whom}", f"at {when}"))
        self.counts.update(["ahead"] * ahead + ["mid-append"] * moment.appending)
        self.counts.update(["mid-flush"] * moment.flushing + ["mid-merge"] * moment.merging)
        self.counts.update(["mid-upkeep"] * moment.keeping_up + ["mid-checkpoint"] * moment.checkpointing)

    def share(self, of: str) -> float:
        return self.counts[of] / self.counts["kills"]

    def __str__(self) -> str:
        count = self.counts
        plan = ", ".join(f"{count[name]} {name}" for name in sorted(count) if name.startswith(("of ", "at ")))
        return (
            f"{count['kills']} kills ({plan}): {count['ahead']} left the log ahead of the read store "
            f"({self.share('ahead'):.0%}), {count['mid-append']} hit mid-append ({self.share('mid-append'):.0%}), "
            f"{count['mid-upkeep']} mid-flush ({count['mid-flush']}) or mid-merge ({count['mid-merge']}) "
            f"({self.share('mid-upkeep'):.0%}), {count['mid-checkpoint']} in a checkpoint of the log"
        )


class Killing:
    """Kills one engine again and again, and starts again what does not start by itself."""

    def __init__(self, server: Server, random: Random, scratch: Path, spread: Spread) -> None:
        self._server = server
        self._random = random
        self._moments: list[str] = []  # those of the next kills
        self._scratch = scratch
        self._spread = spread
        self._log = DataFolder(server.folder).log
        self._files = WatchedFiles(DataFolder(server.folder).current_read_folder())

    def kill_times(self, kills: int) -> Iterator[int]:
        """Kill so many times; yield the number of kills after each."""
        with self._files.watched():
            for number in range(1, kills + 1):
                self._kill_once()
                yield number

    def _kill_once(self) -> None:
        whom, when = _chosen(self._random, WHOM), self._next_moment()
        if when in ("flush", "merge") and whom == "children":
            whom = "all"  # the owner alone flushes and merges
        if when == "append" and whom == "owner":
            whom = "all"  # the intake appends, and the owner rarely
        if when == "start":
            # A kill as any other takes it down; this one comes while it gets up again.
            self._server.kill()
            self._files.settle()
            self._server.launch()
            whom = "all"
        time.sleep(self._random.uniform(0.05, 0.8))
        children = self._server.children()
        victims = [*(children if whom != "owner" else []), *([self._server.pid] if whom != "children" else [])]
        moment = self._freeze_at(when, victims)
        children = children if whom == "children" else self._server.children()  # a frozen owner starts no other
        dying_processes.kill([*victims, *(children if whom == "all" else [])])
        ahead = False
        if whom != "children":
            self._server.kill()
        dying_processes.wait_gone(children)
        if whom != "children":
            self._files.settle()
            ahead = dying_processes.is_log_ahead(self._log, self._files.store, self._scratch)
            self._server.start()
        self._spread.add(whom, when, moment, ahead)

    def _next_moment(self) -> str:
        """Take one of twenty shuffled moments: drawn one by one, too few of a kind might come."""
        if not self._moments:
            self._moments = [when for when, kills in WHEN.items() for _ in range(kills)]
            self._random.shuffle(self._moments)
        return self._moments.pop()

    def _freeze_at(self, when: str, victims: list[int]) -> Moment:
        """Stop the victims at such a moment, or at any other when none was met in time."""
        until = time.monotonic() + AIM_SECONDS_MAX
        while True:
            self._wait_for_moment(when, until)
            appender = dying_processes.appender(self._log) if when == "append" else None
            dying_processes.freeze(sorted(victims, key=lambda pid: pid != appender))  # it first, since it is soon done
            moment = dying_processes.moment_of(victims, self._server.pid, self._log, self._files)
            met = {"append": moment.appending, "flush": moment.flushing, "merge": moment.merging}.get(when, True)
            if met or time.monotonic() >= until:
                return moment
            dying_processes.thaw(victims)

    def _wait_for_moment(self, when: str, until: float) -> None:
        """Wait until an append goes on, or has ended, or a flush or merge goes on; not for ever: none may come."""
        if when in ("append", "appended"):
            _wait_for(self._is_appending, until)
        if when == "appended":
            _wait_for(lambda: not self._is_appending(), until)
        if when == "flush":
            _wait_for(self._files.is_store_half_written, until)
        if when == "merge":
            _wait_for(lambda: dying_processes.is_merging(self._server.pid), until)

    def _is_appending(self) -> bool:
        return dying_processes.appender(self._log) is not None


def _wait_for(holds: Callable[[], bool], until: float) -> None:
    while not holds() and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)


def _chosen(random: Random, weights: dict[str, int]) -> str:
    return random.choices(list(weights), list(weights.values()))[0]


@contextmanager
def load(server: Server, seed: int) -> Iterator[tuple[list[Client], Backfiller]]:
    """Clients that send, and one that backfills, all the while; at the end each has its last request answered."""
    enough = threading.Event()
    clients = [Client(server.url, number, Random(seed + number), enough) for number in range(CLIENTS)]
    backfiller = Backfiller(server.url, Random(seed + CLIENTS), enough)
    with ThreadPoolExecutor(CLIENTS + 1) as threads:
        running = [threads.submit(run) for run in (*(client.run for client in clients), backfiller.run)]
        try:
            yield clients, backfiller
        finally:
            enough.set()
        for each in running:
            each.result(timeout=2 * SENDING_SECONDS_MAX)


def all_events(http: httpx.Client) -> list[JsonObject]:
    found: list[JsonObject] = []
    asked: dict[str, str | int] = {"limit": 1000}
    while True:
        page = http.get("/v1/events", params=asked).raise_for_status().json()
        found += page["data"]
        if page["next_cursor"] is None:
            return found
        asked["cursor"] = page["next_cursor"]


def check_counted_once(server: Server, acknowledged: dict[tuple[str, str], ExpectedEvent]) -> None:
    """Each acknowledged event is counted once as it was sent, no other event is, and the sums are theirs."""
    with httpx.Client(base_url=server.url, headers=HEADERS, timeout=60) as http:
        events = all_events(http)
        asked = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
        (whole,) = http.get("/v1/usage", params=asked).raise_for_status().json()["data"]
    standing = {
        (event["source"], event["id"]): ExpectedEvent(event["customer"], event["input_tokens"]) for event in events
    }
    assert len(standing) == len(events), "an identity is counted twice"
    assert standing == acknowledged
    tokens = sum(event.input_tokens for event in acknowledged.values())
    assert (whole["requests"], whole["input_tokens"]) == (len(acknowledged), tokens)
    assert Decimal(whole["cost_usd"]) * 1_000_000 == tokens  # each costs as many millionths as it has tokens


def kill_on_one_folder(folder: Path, seed: int, kills: int, spread: Spread) -> None:
    with serving(folder / "data", folder / "output", BUSY_UPKEEP) as server:
        killing = Killing(server, Random(seed), folder / "scratch", spread)
        with load(server, seed) as (clients, backfiller):
            for number in killing.kill_times(kills):
                if number % KILLS_BETWEEN_VERIFICATIONS == 0:
                    meterfold("verify", "--data", str(server.folder))
            time.sleep(0.5)
        acknowledged = {identity: told for client in clients for identity, told in client.acknowledged.items()}
        check_counted_once(server, acknowledged | backfiller.standing)
    assert sum(client.sent_again for client in clients) > 0, "no kill met a request: this showed nothing"
    assert backfiller.commits > 0, "nothing was backfilled"
    meterfold("verify", "--data", str(folder / "data"))


@pytest.mark.slow
def test_kills_under_load_lose_nothing_and_count_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        # Named before anything can fail.
        print(f"\nlaw 6: again with TEST_KILLS={KILLS} TEST_SEED={SEED} pytest {Path(__file__).relative_to(ROOT)}")  # noqa: T201
    spread = Spread()
    for done in range(0, KILLS, KILLS_OF_FOLDER_MAX):
        folder = tmp_path / str(done)
        folder.mkdir()
        kill_on_one_folder(folder, SEED + done, min(KILLS_OF_FOLDER_MAX, KILLS - done), spread)
        with capsys.disabled():
            print(f"law 6: {spread}")  # noqa: T201
    if KILLS >= KILLS_FOR_SHARES_MIN:
        assert all(spread.share(of) >= share for of, share in SHARES_MIN.items()), str(spread)
