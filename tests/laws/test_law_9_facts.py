"""Law 9: the order in which facts arrive changes no answer.

The law excludes what depends on arrival by its nature, and so does what is drawn here:

1. No two facts of one subject and life are effective at one instant.
2. A deletion keeps its place among the facts of its subject: only the facts of one life change places.
3. The creation of a shared budget or of a meter comes before its changes: what does not exist is not changed.
4. Every fact names its instant, so that all are stored; every anchored policy names its anchor.
5. Every customer has usage in its last life before the first fact: HTTP takes no commands about one that is unknown,
   and an update by Kafka brings no deleted customer back.
6. Every event tells its cost. One that a price gave is that of the price known when the event was counted, until a
   re-pricing changes it (`tests/laws/repricing`).

The clock stands still while facts arrive, and is set ahead only while questions are asked. So recorded times are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count, groupby, pairwise
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.embedded.engine import EmbeddedEngine
from consumers.kafka.appending.appender import PartitionAppender
from domain.scope import Scope
from tests.consumers.kafka.appending.partition_polls import appender_on, command, poll
from tests.engine_fixtures import NOON, Api, JsonObject, SettableClock, customer_path, engine_on, http, key_for
from tests.laws.laboratory import examples

#: Whether facts set the time zone and the periods of usage and of budgets.
WITH_PERIOD_POLICIES: Final = True

CUSTOMERS: Final = ("ann", "b/ö")
BUDGETS: Final = ("gold", "silver")
METER: Final = "disk"
MODELS: Final = ("claude", "gpt-4o")
#: When facts take effect at the earliest and at the latest, in hours after noon.
FIRST_HOUR: Final = -35 * 24
LAST_HOUR: Final = 10 * 24
#: When questions are asked, in days after noon: while some facts are in the future, and when all are in effect.
DAYS_ASKED: Final = (0, 4, 11, 40)
#: How many questions are asked about each history; which ones is drawn.
QUESTIONS_ASKED: Final = 5
#: Members that differ between the tenants though the answers are the same: positions, which follow the order of
#: arrival, and the id of the key that made a change, which each tenant has of its own.
NOT_COMPARED: Final = frozenset({"position", "actor"})

Questions = Sequence[tuple[str, dict[str, str]]]


@dataclass(frozen=True)
class Said:
    """A fact as a command says it, by HTTP or by Kafka, or as usage says it (`describe`)."""

    kind: str
    subject: str
    data: JsonObject
    by_http: bool

    def request(self) -> tuple[str, str, JsonObject]:
        """The method, path and body of the request that says this."""
        about, verb = self.kind.split(".")
        path = customer_path(self.subject) if about == "customer" else f"/v1/{about}s/{self.subject}"
        match verb:
            case "create":
                return "POST", f"/v1/{about}s", {"code" if about == "meter" else "id": self.subject, **self.data}
            case "update":
                return "PATCH", path, self.data
            case "deactivate" | "reactivate":
                return "PATCH", path, {"active": verb == "reactivate", **self.data}
            case "delete":
                return "DELETE", path, {}
            case "describe":
                return "POST", "/respan/api/request-logs/create/", {"customer_identifier": self.subject, **self.data}
        return "POST", f"{path}/{verb}", self.data


@dataclass(frozen=True)
class Life:
    """What is said in a life of a subject, and the deletion that ends it. A `creation` comes before `facts`."""

    creation: Said | None
    facts: list[Said]
    deletion: Said | None

    def in_order(self, facts: Sequence[Said]) -> list[Said]:
        return [said for said in (self.creation, *facts, self.deletion) if said is not None]


@dataclass(frozen=True)
class History:
    """The lives of each subject, and the usage that is recorded before all facts and after them."""

    lives: dict[tuple[str, str], list[Life]]
    usage_before: list[JsonObject]
    usage_after: list[JsonObject]


# -- what is said


def instant(hours: int) -> str:
    return (NOON + timedelta(hours=hours)).isoformat()


def member(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[JsonObject]:
    return values.map(lambda value: {name: value})


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def limits_by_model() -> st.SearchStrategy[JsonObject | None]:
    """A patch of limits by model (None: all of them are cleared)."""
    durations = ({}, {"duration": "1d"}) if WITH_PERIOD_POLICIES else ({},)
    whole = st.builds(lambda limit, duration: {"limit_usd": limit, **duration}, one_of("0", "4"), one_of(*durations))
    return st.none() | st.dictionaries(one_of(*MODELS), st.none() | whole, min_size=1)


def metadata() -> st.SearchStrategy[JsonObject | None]:
    """A merge patch of metadata (None: all of it is cleared)."""
    nested = st.dictionaries(one_of("x", "y"), one_of(None, 1, "two"), max_size=2)
    return st.none() | st.dictionaries(one_of("a", "b"), one_of(None, 3) | nested, min_size=1)


def periods() -> st.SearchStrategy[JsonObject]:
    """The members of a period policy. An anchored one has an anchor."""
    anchors = st.integers(-60 * 24, 20 * 24).map(lambda hours: {"alignment": "anchored", "anchor": instant(hours)})
    alignments = one_of({}, {"alignment": "calendar"}, {"alignment": None, "anchor": None}) | anchors
    return st.builds(
        lambda length, rest: {"duration": length, **rest}, one_of("1d", "1w", "1mo", "36h", None), alignments
    )


#: What a fact may be about, and the members of its update. A customer has the limits within `budget`.
LIMITS: Final = {
    "limit per period": member("period_limit_usd", one_of("0", "3", "7.5", None)),
    "limit in total": member("total_limit_usd", one_of("0", "3", "7.5", None)),
    "soft limit": member("soft_limit_usd", one_of("0", "3", None)),
    "limits by model": member("model_limits", limits_by_model()),
    "requests": member("requests_per_minute", one_of(5, 60, None)),
    **({"budget periods": periods()} if WITH_PERIOD_POLICIES else {}),
}
OF_USAGE_PERIODS: Final = {
    "zone": member("time_zone", one_of("Asia/Kolkata", "America/New_York", None)),
    "usage periods": member("usage_period", st.none() | periods()),
}
UPDATES: Final[dict[str, dict[str, st.SearchStrategy[JsonObject]]]] = {
    "customer": {
        "name": member("name", one_of("Ann", "Bea", None)),
        "metadata": member("metadata", metadata()),
        "markup": member("markup_percentage", one_of("0", "10", "50", None)),
        "tier": member("budget", member("budget_id", one_of(*BUDGETS, None))),
        "all limits": st.just({"budget": None}),
        **{topic: member("budget", limits) for topic, limits in LIMITS.items()},
        **(OF_USAGE_PERIODS if WITH_PERIOD_POLICIES else {}),
    },
    "budget": {"name": member("name", one_of("Gold", "Silver", None)), **LIMITS},
    "meter": {
        "name": member("name", one_of("Disk", None)),
        "description": member("description", one_of("Bytes", None)),
        "groups": member("group_by", one_of(["zone"], {"zone": "kind"}, {}, None)),
    },
}
#: What usage may say of its customer, in the words of Respan's clients.
DESCRIPTIONS: Final = (
    member("name", one_of("Ann", "Cy", None))
    | member("metadata", one_of({"a": 1}, {"b": {"x": 2}}, None))
    | member("markup_percentage", one_of(0, 10, None))
    | member("period_budget", one_of(0, 3, None))
    | member("total_budget", one_of(3, None))
    | member("rate_limit", one_of(5, None))
    | (member("budget_duration", one_of("daily", "weekly", "yearly")) if WITH_PERIOD_POLICIES else st.nothing())
)
#: What else a fact may be about, and the verbs that say it.
SWITCHES: Final = {"blocked": ("block", "unblock"), "active": ("deactivate", "reactivate")}
#: The members that every creation names.
CREATIONS: Final[dict[str, st.SearchStrategy[JsonObject]]] = {
    "customer": one_of({}, {"opening_spend_usd": "2"}),
    "budget": st.just({}),
    "meter": st.just({"event_type": "disk.sampled", "aggregation": "sum", "value_property": "bytes"}),
}


@st.composite
def lives(draw: st.DrawFn, about: str, subject: str, facts: st.SearchStrategy[int]) -> list[Life]:
    """Up to three lives of a subject, most often one. `facts`: how many the last one has; those before have few.

    A deletion by HTTP is effective now, one by Kafka at its instant. Kafka has no commands about meters.
    """
    instants = st.just(0) if about == "meter" else st.integers(FIRST_HOUR, 0)
    ended = draw(one_of(0, 0, 0, 1) if about == "meter" else one_of(0, 0, 0, 1, 2))
    ends = sorted(draw(st.lists(instants, min_size=ended, max_size=ended, unique=True)))
    before = [draw(life(about, subject, span, st.integers(0, 2))) for span in pairwise([FIRST_HOUR, *ends])]
    return [*before, draw(life(about, subject, (max([FIRST_HOUR, *ends]), None), facts))]


@st.composite
def life(
    draw: st.DrawFn, about: str, subject: str, span: tuple[int, int | None], number: st.SearchStrategy[int]
) -> Life:
    """One life from an hour on. Its facts are effective whenever, even after its end: then the deletion cuts them off.

    They are about few topics, so that some are about the same. The creation of a customer is one of its facts; a budget
    and a meter are created first.
    """
    begin, end = span
    size = draw(number)
    hours = draw(st.lists(st.integers(begin, LAST_HOUR), min_size=size, max_size=size, unique=True))
    all_topics = (*UPDATES[about], *(SWITCHES if about == "customer" else ()))
    topics = one_of(*draw(st.lists(one_of(*all_topics), min_size=1, max_size=3, unique=True)))
    by_http = st.just(True) if about == "meter" else st.booleans()
    is_created = size > 0 and (about != "customer" or draw(st.booleans()))
    facts: list[Said] = []
    for hour in hours:
        topic = draw(topics)
        updated = draw(UPDATES[about].get(topic, st.just({})))
        if about == "customer" and hour < 0 and not (is_created and not facts) and draw(one_of(False, False, True)):
            log = {"unique_id": f"{subject} {span} {hour}", "timestamp": instant(hour), "cost": draw(one_of(0, 1))}
            facts.append(Said("customer.describe", subject, {**log, "customer_params": draw(DESCRIPTIONS)}, True))
            continue
        if is_created and not facts:
            verb, members = "create", {**draw(CREATIONS[about]), **updated}
        else:
            verb, members = draw(one_of(*SWITCHES[topic])) if topic in SWITCHES else "update", updated
        facts.append(Said(f"{about}.{verb}", subject, {"effective_at": instant(hour), **members}, draw(by_http)))
    deletion = None
    if end is not None and (is_created or about == "customer"):
        deletion = Said(f"{about}.delete", subject, {"effective_at": instant(end)}, by_http=end == 0)
    if about == "customer" or not facts:
        return Life(None, facts, deletion)
    return Life(facts[0], facts[1:], deletion)


@st.composite
def usage(draw: st.DrawFn, identity: str, hours: st.SearchStrategy[int]) -> JsonObject:
    data = {"provider": "acme", "model": draw(one_of(*MODELS)), "cost_usd": draw(one_of("1", "2", "4"))}
    sample = {"bytes": draw(st.integers(1, 9)), "zone": draw(one_of("eu", "us")), "kind": draw(one_of("fast", "slow"))}
    of_request = draw(st.integers(0, 3)) > 0
    return {
        "specversion": "1.0",
        "id": identity,
        "source": "gateway",
        "type": "llm.request" if of_request else "disk.sampled",
        "subject": draw(one_of(*CUSTOMERS)),
        "time": instant(draw(hours)),
        "data": data if of_request else sample,
    }


@st.composite
def histories(draw: st.DrawFn) -> History:
    said = {("customer", "ann"): draw(lives("customer", "ann", st.integers(2, 5)))}
    for about, subject in (("customer", "b/ö"), *(("budget", name) for name in BUDGETS), ("meter", METER)):
        if draw(one_of(False, False, True)):
            said[about, subject] = draw(lives(about, subject, st.integers(2, 4)))
    present = [{**draw(usage(f"now {one}", st.just(0))), "subject": one} for one in CUSTOMERS]
    hours = st.integers(FIRST_HOUR, -1)
    before = [draw(usage(f"before {number}", hours)) for number in range(draw(st.integers(0, 4)))]
    after = [draw(usage(f"after {number}", hours)) for number in range(draw(one_of(0, 0, 0, 2)))]
    return History(said, [*before, *present], after)


def as_drawn(history: History) -> list[Said]:
    """The facts of one subject after those of another, in the order in which they were drawn."""
    return [said for one in history.lives.values() for life in one for said in life.in_order(life.facts)]


@st.composite
def mixed(draw: st.DrawFn, history: History) -> list[Said]:
    """The same facts in any order that the law allows: those of different subjects are mixed too."""
    of_subject = {
        subject: [said for life in one for said in life.in_order(draw(st.permutations(life.facts)))]
        for subject, one in history.lives.items()
    }
    turns = draw(st.permutations([subject for subject, all_said in of_subject.items() for _ in all_said]))
    waiting = {subject: iter(all_said) for subject, all_said in of_subject.items()}
    return [next(waiting[subject]) for subject in turns]


# -- the engine, and what it answers


class AskingClock(SettableClock):
    """A clock that stands still, but for the time of a question."""

    @contextmanager
    def ahead(self, by: timedelta) -> Iterator[None]:
        before = self()
        self._now = before + by
        try:
            yield
        finally:
            self._now = before


@dataclass(frozen=True)
class Office:
    """An engine whose facts come by HTTP and by Kafka, for tenant after tenant."""

    engine: EmbeddedEngine
    api: Api
    clock: AskingClock
    kafka: PartitionAppender
    _tenants: Iterator[int] = field(default_factory=count)
    _offsets: Iterator[int] = field(default_factory=count)

    def tenant_told(self, history: History, order: Sequence[Said]) -> Api:
        """A fresh tenant with a history, whose facts arrived in this order."""
        scope = Scope(f"tenant-{next(self._tenants)}", "prod")
        api = replace(self.api, key=key_for(self.engine, scope))
        assert api.deliver(history.usage_before)["counts"]["counted"] == len(history.usage_before)
        for by_http, run in groupby(order, key=lambda said: said.by_http):
            if by_http:
                for said in run:
                    tell_by_http(api, said)
            else:
                self._tell_by_kafka(scope, list(run))
        if history.usage_after:
            assert api.deliver(history.usage_after)["counts"]["counted"] == len(history.usage_after)
        assert self.engine.wait_folded(self.engine.log.head_position(), 60)
        return api

    def _tell_by_kafka(self, scope: Scope, run: Sequence[Said]) -> None:
        offsets = [next(self._offsets) for _ in run]
        sent = [
            command(said.kind, said.subject, f"command {offset}", scope, **said.data)
            for offset, said in zip(offsets, run, strict=True)
        ]
        outcomes = self.kafka.append(poll(sent, offsets[0])).commands
        assert [(one.outcome, one.reason) for one in outcomes] == [("honoured", None)] * len(run)


def tell_by_http(api: Api, said: Said) -> None:
    method, path, body = said.request()
    media_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
    answer = api.send(method, path, None, {"Content-Type": media_type}, **({"json": body} if body else {}))
    assert answer.status_code in (200, 201, 204), f"{method} {path} {body}: {answer.text}"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    clock = AskingClock()
    with engine_on(tmp_path_factory.mktemp("data"), clock) as engine, http(engine) as api:
        yield Office(engine, api, clock, appender_on(engine.log, engine.keys, NOON))


def questions_about(customer: str) -> Questions:
    """Everything that is answered about a customer, and about the budgets and the meter."""
    path, since = customer_path(customer), {"from": instant(FIRST_HOUR), "timezone": "UTC"}
    return [
        (path, {}),
        (f"{path}/budget", {}),
        (f"{path}/access", {}),
        (f"{path}/access", {"model": MODELS[0]}),
        (f"{path}/usage", {"group_by": "model", **since}),
        (f"{path}/current-usage", {}),
        (f"{path}/current-usage", {"period": "budget"}),
        (f"{path}/past-usage", {}),
        (f"{path}/past-usage", {"period": "budget"}),
        (f"{path}/history", {"limit": "1000"}),
        ("/customer/info", {"end_user_id": customer}),
        ("/v1/usage", {"group_by": "customer", **since}),
        ("/v1/usage", {"group_by": "customer,zone", "meter": METER, **since}),
        (f"/v1/meters/{METER}", {}),
        ("/v1/budgets", {}),
    ]


def answers(api: Api, questions: Questions) -> dict[str, Any]:
    """The status and the body of each answer; none is an error of the engine."""
    told = {}
    for path, params in questions:
        answer = api.send("GET", path, None, params=params)
        assert answer.status_code in (200, 404, 422), f"{path} {params}: {answer.status_code} {answer.text}"
        asked = "&".join(f"{name}={value}" for name, value in params.items())
        told[f"{path}?{asked}"] = (answer.status_code, compared(answer.json()))
    return told


def compared(value: Any) -> Any:
    """An answer without the members that are `NOT_COMPARED`."""
    match value:
        case dict():
            return {name: compared(member) for name, member in value.items() if name not in NOT_COMPARED}
        case list():
            return [compared(member) for member in value]
    return value


@examples(60)
@given(data=st.data(), history=histories(), about=one_of(*CUSTOMERS), days=one_of(*DAYS_ASKED))
def test_the_order_in_which_facts_arrive_changes_no_answer(
    office: Office, data: st.DataObject, history: History, about: str, days: int
) -> None:
    order = data.draw(mixed(history))
    questions = data.draw(st.permutations(questions_about(about)))[:QUESTIONS_ASKED]
    one, other = office.tenant_told(history, as_drawn(history)), office.tenant_told(history, order)
    with office.clock.ahead(timedelta(days=days)):
        first, second = answers(one, questions), answers(other, questions)
    assert {asked: (told, second[asked]) for asked, told in first.items() if told != second[asked]} == {}
