"""Steps about runs: corrections by filter, re-pricings and backfills, opened, committed and reverted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.engine_fixtures import CLOUDEVENTS, JsonObject
from tests.laws.machine.events import Event
from tests.laws.machine.facts import (
    BackfillCommitted,
    CorrectionCommitted,
    Range,
    RepricingCommitted,
    RunReverted,
    Sent,
)
from tests.laws.machine.steps import CUSTOMERS, MODELS, SOURCES, Steps, hours, one_of
from tests.laws.machine.usage_steps import SENT

#: The bounds of ranges, in hours before the step.
START: Final = hours(1, 24 * 6, 24 * 20, 24 * 50)
END: Final = hours(0, 24 * 5, -24)


def some(*names: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.just(()) | st.just(()) | st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True).map(tuple)


@dataclass
class Run:
    """A run that was opened. `previewed_at`: the position of the one look at its preview."""

    kind: str
    name: str
    range: Range
    previewed_at: int
    is_strict: bool  # a void, or a replacement
    loaded: list[Sent] = field(default_factory=list)
    state: str = "open"

    @property
    def path(self) -> str:
        return f"/v1/{self.kind}/{self.name}"


def overlap(one: Run, other: Run) -> bool:
    """Whether an event can be in both ranges."""
    a, b = one.range, other.range
    assert a.start is not None
    assert a.end is not None
    assert b.start is not None
    assert b.end is not None
    shared = (
        not mine or not theirs or set(mine) & set(theirs)
        for mine, theirs in ((a.customers, b.customers), (a.sources, b.sources))
    )
    return a.start < b.end and b.start < a.end and all(shared)


def raw_cost(events: list[Event]) -> Decimal:
    return sum((one.cost_usd or Decimal(0) for one in events), Decimal(0))


class RunSteps(Steps):
    def __init__(self) -> None:
        super().__init__()
        self.runs: list[Run] = []

    def runs_in(self, *states: str) -> list[Run]:
        return [one for one in self.runs if one.state in states]

    def opened(self, kind: str, asked: Range, is_strict: bool, body: JsonObject, status: int = 201) -> Run:
        run = Run(kind, f"run-{len(self.runs)}", asked, 0, is_strict)
        self.post(f"/v1/{kind}", {"name": run.name, **body}, status)
        run.previewed_at = self.office.position()
        self.runs += [run] if status == 201 else []
        return run

    @rule(
        start=st.none() | START,
        end=st.none() | END,
        customers=some(*CUSTOMERS),
        sources=some(*SOURCES),
        models=some(*MODELS),
        is_void=one_of(True, True, False),
        at_once=st.booleans(),
    )
    def open_correction(
        self,
        start: timedelta | None,
        end: timedelta | None,
        customers: tuple[str, ...],
        sources: tuple[str, ...],
        models: tuple[str, ...],
        is_void: bool,
        at_once: bool,
    ) -> None:
        asked = self.range(start, end, customers, sources, models)
        if asked == Range():
            asked = Range(sources=SOURCES)
        body = {"action": "void" if is_void else "restore", **asked.as_json("customers", "sources", "models")}
        run = self.opened("corrections", asked, is_void, body)
        if at_once:
            self.commit(run, run.previewed_at)

    @rule(
        start=st.none() | START,
        end=st.none() | END,
        customers=some(*CUSTOMERS),
        models=some(*MODELS),
        at_once=st.booleans(),
    )
    def open_repricing(
        self,
        start: timedelta | None,
        end: timedelta | None,
        customers: tuple[str, ...],
        models: tuple[str, ...],
        at_once: bool,
    ) -> None:
        asked = self.range(start, end, customers, (), models)
        run = self.opened("repricings", asked, False, {"given_costs": "keep", **asked.as_json("customers", "models")})
        if at_once:
            self.commit(run, run.previewed_at)

    @rule(
        start=START,
        end=END,
        customers=some(*CUSTOMERS),
        sources=some(*SOURCES),
        replaces=st.booleans(),
        drawn=st.lists(SENT, max_size=4),
        at_once=st.booleans(),
    )
    def open_backfill(
        self,
        start: timedelta,
        end: timedelta,
        customers: tuple[str, ...],
        sources: tuple[str, ...],
        replaces: bool,
        drawn: list[tuple[Any, ...]],
        at_once: bool,
    ) -> None:
        asked = self.range(max(start, end + timedelta(hours=1)), end, customers, sources, ())
        wanted = Run("backfills", "", asked, 0, replaces)
        is_refused = any(one.kind == "backfills" and overlap(one, wanted) for one in self.runs_in("open"))
        body = {"mode": "replace" if replaces else "add", **asked.as_json("customers", "sources")}
        run = self.opened("backfills", asked, replaces, body, 409 if is_refused else 201)
        if is_refused:
            return
        if drawn:
            self.load_into(run, drawn)
        if at_once:
            self.commit(run, self.office.position())

    def range(
        self,
        start: timedelta | None,
        end: timedelta | None,
        customers: tuple[str, ...],
        sources: tuple[str, ...],
        models: tuple[str, ...],
    ) -> Range:
        end = None if start is not None and end is not None and start <= end else end
        bounds = (None if one is None else self.now - one for one in (start, end))
        return Range(customers, sources, models, *bounds)

    @precondition(lambda self: any(one.kind == "backfills" for one in self.runs_in("open")))
    @rule(which=st.integers(0, 9), drawn=st.lists(SENT, min_size=1, max_size=4))
    def load(self, which: int, drawn: list[tuple[Any, ...]]) -> None:
        backfills = [one for one in self.runs_in("open") if one.kind == "backfills"]
        self.load_into(backfills[which % len(backfills)], drawn)

    def load_into(self, run: Run, drawn: list[tuple[Any, ...]]) -> None:
        """Events as drawn, and as they were sent before; those outside of the range are rejected."""
        events = [
            Sent(source, number, customer, self.now - (back or timedelta(days=2)), *rest)
            for source, number, customer, back, *rest in drawn
        ]
        body = [one.as_cloudevent() for one in events]
        headers: dict[str, str | bytes] = {"Content-Type": CLOUDEVENTS}
        shown = self.office.api.send("POST", f"{run.path}/events", 200, headers, json=body).json()
        fitting = [one for one in events if one.time is not None and run.range.holds(one, one.time)]
        assert (shown["loaded"], shown["rejected"]) == (len(fitting), len(events) - len(fitting))
        run.loaded += fitting
        run.previewed_at = self.office.position()

    @precondition(lambda self: self.runs_in("open"))
    @rule(which=st.integers(0, 9), as_previewed=st.booleans())
    def commit_one(self, which: int, as_previewed: bool) -> None:
        run = self.runs_in("open")[which % len(self.runs_in("open"))]
        self.commit(run, run.previewed_at if as_previewed else self.office.position())

    def commit(self, run: Run, previewed_at: int) -> None:
        before = raw_cost(self.known.counted)
        shown = self.post(f"{run.path}/commit", {"previewed_at": previewed_at}, 200)
        asked: JsonObject = {"run": run.name, "range": run.range, "previewed_at": previewed_at}
        match run.kind:
            case "corrections":
                self.note(CorrectionCommitted, is_void=run.is_strict, **asked)
            case "repricings":
                self.note(RepricingCommitted, **asked)
            case _:
                self.note(BackfillCommitted, replaces=run.is_strict, loaded=tuple(run.loaded), **asked)
        run.state = "committed"
        assert Decimal(shown["committed"]["difference_usd"]) == raw_cost(self.known.counted) - before

    @precondition(lambda self: self.runs_in("committed"))
    @rule(which=st.integers(0, 9))
    def revert(self, which: int) -> None:
        run = self.runs_in("committed")[which % len(self.runs_in("committed"))]
        if run.kind == "backfills" and self.is_under_another(run):
            self.office.api.refused("POST", f"{run.path}/revert", 409)
            return
        before = raw_cost(self.known.counted)
        shown = self.post(f"{run.path}/revert", None, 200)
        self.note(RunReverted, run=run.name)
        run.state = "reverted"
        assert Decimal(shown["reverted"]["difference_usd"]) == raw_cost(self.known.counted) - before

    def is_under_another(self, run: Run) -> bool:
        """Whether a backfill that was committed later and stands overlaps with it."""
        committed = [one.run for one in self.facts if isinstance(one, BackfillCommitted)]
        later = committed[committed.index(run.name) + 1 :]
        return any(one.name in later and overlap(one, run) for one in self.runs_in("committed"))

    @precondition(lambda self: any(one.kind == "backfills" for one in self.runs_in("open")))
    @rule(which=st.integers(0, 9))
    def cancel(self, which: int) -> None:
        backfills = [one for one in self.runs_in("open") if one.kind == "backfills"]
        run = backfills[which % len(backfills)]
        self.post(f"{run.path}/cancel", None, 200)
        run.state = "cancelled"
