"""Latency of reading one customer's current usage or budget by function calls, alone and while events come in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from bench.bench_settings import engine_settings
from bench.chain import drive_until
from bench.events import bodies, customer_id, event_lines, midnight
from bench.http_load import percentiles
from bench.stored import Filling
from consumers.bootstrap import open_engine
from consumers.embedded.engine import EmbeddedEngine
from domain.customers.commands import CreateCustomer, UpdateCustomer
from domain.errors import AlreadyExists
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE
from projections.views.budget_state import access, budget_state
from projections.views.current_usage import current_usage

ASKED_CUSTOMERS: Final = 2_000
BUDGETED_CUSTOMERS: Final = 200
#: How many facts are stated about customers of a kind, and how many customers of each kind there are.
FACTS: Final = (20, 200)
CUSTOMERS_WITH_FACTS: Final = 5
WAIT_SECONDS_MAX: Final = 60.0
EVENTS_PER_BODY: Final = 10_000
#: Events are made for this rate; a faster run sends the same ones again, as duplicates.
INGESTED_PER_SECOND: Final = 60_000


class ReadRun(msgspec.Struct, frozen=True):
    """One measurement, which asks each question for `seconds`, alone and while events come in."""

    filling: Filling
    seconds: float


class Latencies(msgspec.Struct, frozen=True):
    """Latencies in seconds. `ingesting` is the rate of events per second during them.

    `native` is the p50 of the native API's answer to the same question, asked in turns with this one; 0: none was.
    """

    question: str
    through: str
    ingesting: float
    p50: float
    p99: float
    longest: float
    native: float = 0.0


def customers_asked(run: ReadRun) -> list[str]:
    """Random customers."""
    chance = np.random.default_rng(run.filling.seed)
    return [customer_id(number) for number in chance.integers(0, run.filling.customers, ASKED_CUSTOMERS).tolist()]


def budgeted_customers(run: ReadRun) -> list[str]:
    """The customers that get budgets."""
    return sorted(set(customers_asked(run)))[:BUDGETED_CUSTOMERS]


def measure(run: ReadRun) -> list[Latencies]:
    """Give some customers budgets, and some many facts, then measure. Runs in a process of its own, on two cores."""
    with open_engine(engine_settings(Path(run.filling.folder)), serving=True) as engine:
        _give_budgets(engine, run)
        _state_facts(engine)
        alone = [*_asked(engine, run, lambda: 0.0), *_asked_of_many_facts(engine, run)]
        lines = event_lines(
            int(INGESTED_PER_SECOND * run.seconds * 2), run.filling.customers, run.filling.seed + 4, _today()
        )
        body_list = list(bodies(lines, EVENTS_PER_BODY))
        ended = threading.Event()
        sent: list[int] = []
        feeder = threading.Thread(target=drive_until, args=(engine, body_list, ended, sent), daemon=True)
        feeder.start()
        started = time.perf_counter()
        busy = _asked(engine, run, lambda: sum(sent) / (time.perf_counter() - started))
        ended.set()
        feeder.join()
    return [*alone, *busy]


def _today() -> datetime:
    return midnight(datetime.now(UTC))


def _give_budgets(engine: EmbeddedEngine, run: ReadRun) -> None:
    fields = {"period_limit_usd": "100", "total_limit_usd": "10000"}
    position = 0
    for name in budgeted_customers(run):
        try:
            result = engine.commands.handle(CreateCustomer(DEFAULT_SCOPE, Provenance("bench"), name, fields))
        except AlreadyExists:
            continue
        position = result.position or position
    if not engine.wait_folded(position, WAIT_SECONDS_MAX):
        raise TimeoutError("budgets were not folded within the time of a benchmark")


def _state_facts(engine: EmbeddedEngine) -> None:
    """Say as much about some customers as `FACTS` tells: names, markups, limits, metadata and budgets in turn."""
    by = Provenance("bench")
    position = None
    for facts in FACTS:
        for name in _customers_of(facts):
            with suppress(AlreadyExists):
                engine.commands.handle(CreateCustomer(DEFAULT_SCOPE, by, name, {"time_zone": "Europe/Berlin"}))
                for number in range(1, facts):
                    changes = _changes(number)
                    position = engine.commands.handle(UpdateCustomer(DEFAULT_SCOPE, by, name, changes)).position
    if position is not None and not engine.wait_folded(position, WAIT_SECONDS_MAX):
        raise TimeoutError("facts were not folded within the time of a benchmark")


def _customers_of(facts: int) -> list[str]:
    return [f"facts-{facts}-{number}" for number in range(CUSTOMERS_WITH_FACTS)]


def _changes(number: int) -> dict[str, Any]:
    return (
        {"name": f"Name {number}"},
        {"markup_percentage": str(number)},
        {"model_limits": {f"model-{number % 7}": {"limit_usd": str(number), "duration": "1d"}}},
        {"metadata": {f"member_{number % 5}": number}},
        {"period_limit_usd": str(number), "budget_duration": ("1mo", "1w")[number % 2]},
    )[number % 5]


def _asked_of_many_facts(engine: EmbeddedEngine, run: ReadRun) -> list[Latencies]:
    now = datetime.now(UTC)

    def budget_of(name: str) -> object:
        with engine.reads.snapshot() as snapshot:
            return budget_state(snapshot, DEFAULT_SCOPE, name, now)

    def access_of(name: str) -> object:
        with engine.reads.snapshot() as snapshot:
            return access(snapshot, DEFAULT_SCOPE, name, now, "model-1")

    return [
        Latencies(f"{question}, {facts} facts", "functions", 0.0, *percentiles(_timed(names, ask, run.seconds / 4)))
        for facts in FACTS
        for names in (_customers_of(facts),)
        for question, ask in (("budget", budget_of), ("access", access_of))
    ]


def _asked(engine: EmbeddedEngine, run: ReadRun, rate: Callable[[], float]) -> list[Latencies]:
    now = datetime.now(UTC)

    def usage_of(name: str) -> object:
        with engine.reads.snapshot() as snapshot:
            return current_usage(snapshot, DEFAULT_SCOPE, name, now)

    def budget_of(name: str) -> object:
        with engine.reads.snapshot() as snapshot:
            return budget_state(snapshot, DEFAULT_SCOPE, name, now)

    questions: tuple[tuple[str, list[str], Callable[[str], object]], ...] = (
        ("current usage", customers_asked(run), usage_of),
        ("budget", budgeted_customers(run), budget_of),
    )
    measured = []
    for question, names, ask in questions:
        for name in names[:20]:
            ask(name)
        latencies = _timed(names, ask, run.seconds)
        measured.append(Latencies(question, "functions", rate(), *percentiles(latencies)))
    return measured


def _timed(names: list[str], ask: Callable[[str], object], seconds: float) -> list[float]:
    latencies: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        name = names[len(latencies) % len(names)]
        started = time.perf_counter()
        found = ask(name)
        latencies.append(time.perf_counter() - started)
        if found is None:
            raise AssertionError(f"{name} is unknown although it was filled in")
    return latencies
