"""Law 6, what SIGKILL alone would not notice: nothing is acknowledged before its bytes are synced to disk.

The operating system keeps what a killed process has written; only a loss of power takes what was not synced. So the
engine runs with a library before libc (`trace_of_syncs.c`) that writes down each write to the log's write-ahead file
and each fsync or fdatasync of it; this test adds a line for each acknowledgement that it gets. One group of requests
makes one append, with one position, and appends follow one another: when position P is acknowledged, all appends up
to P must have been written and then synced.
"""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.laws.kills.clients import HEADERS, JsonObject
from tests.meterfold_process import Server, serving

SOURCE = Path(__file__).with_name("trace_of_syncs.c")
COMPILER_LINE = "A C compiler is needed to count syncs. On Debian: sudo apt-get install -y gcc libc6-dev"
CLIENTS = 4
REQUESTS_OF_CLIENT = 25
#: A frame of the write-ahead file holds a page; what is smaller is a header.
PAGE_BYTES_MIN = 512
QUIET_HOUSEKEEPING = {
    "METERFOLD_EVENT_LOG_SEAL_INTERVAL_SECONDS": "3600",
    "METERFOLD_PERIOD_CLOSING_INTERVAL_SECONDS": "3600",
}


@pytest.fixture
def tracing(tmp_path: Path) -> dict[str, str]:
    """The environment in which a process traces its syncs into `tmp_path / "trace"`."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.fail(COMPILER_LINE)
    library = tmp_path / "trace_of_syncs.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True, timeout=60)
    return {"LD_PRELOAD": str(library), "TRACE_OF_SYNCS": str(tmp_path / "trace")}


def send(server: Server, trace: Path, client: int, number: int) -> None:
    """Send one event, and write into the trace which position was acknowledged."""
    event: JsonObject = {
        "specversion": "1.0",
        "id": f"{number}",
        "source": f"client-{client}",
        "type": "llm.request",
        "subject": "ada",
        "data": {"provider": "acme", "model": "swift", "input_tokens": 7, "cost_usd": "0.01"},
    }
    headers = HEADERS | ({"Prefer": "respond-async"} if number % 2 else {})
    answer = httpx.post(f"{server.url}/v1/events", json=event, headers=headers, timeout=30).raise_for_status()
    with trace.open("ab", buffering=0) as lines:
        lines.write(f"a {answer.json()['position']}\n".encode())


def send_all(server: Server, trace: Path, client: int) -> None:
    for number in range(REQUESTS_OF_CLIENT):
        send(server, trace, client, number)


def unsynced_acknowledgements(lines: list[str]) -> tuple[list[int], int]:
    """Positions that were acknowledged before as many appends were synced, and how many appends were.

    The first line that counts is the first acknowledgement; its position is where counting starts.
    """
    start: int | None = None
    written, synced, early = False, 0, []
    for line in lines:
        kind, number = line.split()
        if kind == "a" and start is None:
            start, written, synced = int(number), False, 0
        elif kind == "a":
            if start is not None and synced < int(number) - start:
                early.append(int(number))
        elif kind == "w" and int(number) >= PAGE_BYTES_MIN:
            written = True
        elif kind == "s" and written:
            written, synced = False, synced + 1
    return early, synced


def test_each_acknowledged_group_was_synced_before(tmp_path: Path, tracing: dict[str, str]) -> None:
    trace = tmp_path / "trace"
    with serving(tmp_path / "data", tmp_path / "output", tracing | QUIET_HOUSEKEEPING) as server:
        send(server, trace, CLIENTS, 0)
        with ThreadPoolExecutor(CLIENTS) as threads:
            sending = [threads.submit(send_all, server, trace, client) for client in range(CLIENTS)]
            for each in sending:
                each.result(timeout=120)
    lines = trace.read_text().splitlines()
    acknowledged = [int(line.split()[1]) for line in lines if line.startswith("a ")]
    assert len(acknowledged) == CLIENTS * REQUESTS_OF_CLIENT + 1
    early, synced = unsynced_acknowledgements(lines)
    assert early == [], f"acknowledged before they were synced: {early}, of {acknowledged}"
    assert synced >= max(acknowledged) - acknowledged[0] >= REQUESTS_OF_CLIENT, "requests shared too few groups"


@pytest.mark.parametrize(
    ("lines", "early"),
    [
        ("w 4096,s 0,a 5,w 24,w 4096,s 0,a 6", []),
        ("a 5,w 4096,a 6,s 0", [6]),
        ("a 5,w 4096,a 6", [6]),
        ("a 5,w 4096,s 0,w 4096,a 7,a 6", [7]),
        ("a 5,w 32,s 0,w 4096,a 6", [6]),
        ("a 5,s 0,s 0,w 4096,a 6", [6]),
    ],
)
def test_what_was_synced_late_or_never_is_found(lines: str, early: list[int]) -> None:
    assert unsynced_acknowledgements(lines.split(","))[0] == early
