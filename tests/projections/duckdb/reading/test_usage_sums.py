"""Usage sums over segments equal those computed in plain Python over the same events."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from itertools import count, pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.scope import Scope
from projections.queries.usage import Segment, UsageQuestion, UsageSum, UsageSums
from tests.projections.store_builder import START, PlainEvent, StoreBuilder

POSITIONS = 6
#: Enough digits to add quantities without rounding.
EXACT = Context(prec=60)
STORE = StoreBuilder()
STORE.at(POSITIONS)
SCOPES = (Scope(f"t{number}", "prod") for number in count())

instants = st.one_of(
    st.integers(0, 5 * 24).map(lambda hours: START + timedelta(hours=hours)),
    st.integers(0, 5 * 86_400_000_000).map(lambda us: START + timedelta(microseconds=us)),
)
customers = st.sampled_from(["a", "b", "c"])
costs = st.one_of(
    st.tuples(st.none(), st.sampled_from(["none", "unknown"])),
    st.tuples(st.decimals(0, 1000, places=12), st.sampled_from(["producer", "price"])),
)

#: Units by name, which are summed in exact arithmetic; one of 0 is as good as none.
units = st.dictionaries(
    st.sampled_from(["web_searches", "audio_seconds", "an operator's own"]),
    st.one_of(st.just(Decimal(0)), st.decimals(0, 10**15 - 1, places=12)),
    max_size=2,
)


@dataclass(frozen=True)
class Markup:
    customer: str
    position: int
    effective_at: datetime
    kind: str
    percentage: str | None


@st.composite
def versions(draw: st.DrawFn) -> PlainEvent:
    counted_at = draw(st.integers(1, POSITIONS - 1))
    closed_at = draw(st.one_of(st.none(), st.integers(counted_at, POSITIONS)))
    cost, origin = draw(costs)
    return PlainEvent(
        customer=draw(customers), time=draw(instants), counted_at=counted_at, closed_at=closed_at,
        type=draw(st.sampled_from(["llm.request", "llm.request", "page.view"])),
        provider=draw(st.sampled_from([None, "openai"])), model=draw(st.sampled_from([None, "gpt", "o1"])),
        status=draw(st.sampled_from(["succeeded", "failed"])), input_tokens=draw(st.integers(0, 10**15)),
        output_tokens=draw(st.integers(0, 9)), reasoning_tokens=draw(st.integers(0, 9)),
        cost_usd=cost, cost_origin=origin, parent_request=draw(st.sampled_from([None, "root"])),
        units=tuple(draw(units).items()), tags=tuple(draw(st.lists(st.sampled_from("xyz"), max_size=3))),
    )  # fmt: skip


markups = st.builds(
    Markup, customers, st.integers(1, POSITIONS), instants,
    st.sampled_from(["customer.created", "customer.updated", "customer.updated", "customer.deleted"]),
    st.sampled_from([None, "0", "10", "12.5", "-100"]),
)  # fmt: skip


#: A log holds one fact at a position.
facts_of_a_log = st.lists(markups, min_size=2, max_size=8, unique_by=lambda fact: fact.position)


@st.composite
def segment_lists(draw: st.DrawFn) -> tuple[Segment, ...]:
    """A few segments of any length, or many of some hours each; some are left out, so that there are gaps."""
    first = START - timedelta(hours=draw(st.sampled_from([0, 1])))
    if draw(st.integers(0, 5)) == 0:
        cuts = [first + n * timedelta(hours=3) for n in range(48)]
    else:
        inner = draw(st.lists(instants, max_size=draw(st.sampled_from([0, 1, 6]))))
        cuts = sorted({first, *inner, START + timedelta(days=6)})
    left_out = draw(st.sets(st.integers(0, len(cuts) - 2), max_size=1 + len(cuts) // 3))
    return tuple(Segment(start, end) for n, (start, end) in enumerate(pairwise(cuts)) if n not in left_out)


@st.composite
def questions(draw: st.DrawFn) -> UsageQuestion:
    names = ["customer", "type", "provider", "model"]
    if draw(st.integers(0, 3)) == 0:
        names += ["status", "tag", "source"]
    return UsageQuestion(
        segments=draw(segment_lists()),
        customer_id=draw(st.one_of(st.none(), customers, st.just("nobody"))),
        group_by=tuple(draw(st.lists(st.sampled_from(names), unique=True, max_size=3))),
        event_types=draw(st.sampled_from([None, ("llm.request", "page.view"), ("page.view",)])),
        models=draw(st.sampled_from([None, None, ("gpt",)])),
        as_of=draw(st.one_of(st.none(), st.none(), st.integers(0, POSITIONS + 1))),
        split_markup=draw(st.sampled_from([True, True, False])),
        with_units=draw(st.booleans()),
    )


def held(event: PlainEvent, position: int) -> bool:
    return event.counted_at <= position and (event.closed_at is None or event.closed_at > position)


def cut_off(fact: Markup, known: Sequence[Markup]) -> bool:
    """Whether a deletion that was recorded later, and is effective no later, cancels this fact."""
    return fact.kind != "customer.deleted" and any(
        other.kind == "customer.deleted" and other.position > fact.position and other.effective_at <= fact.effective_at
        for other in known
    )


def markup_of(facts: Sequence[Markup], event: PlainEvent, position: int) -> Decimal:
    percentage = Decimal(0)
    known = [fact for fact in facts if fact.customer == event.customer and fact.position <= position]
    for fact in sorted(known, key=lambda fact: (fact.effective_at, fact.position)):
        if fact.effective_at <= event.time and not cut_off(fact, known):
            if fact.kind != "customer.updated":
                percentage = Decimal(0)
            if fact.kind != "customer.deleted":
                percentage = Decimal(fact.percentage or 0)
    return percentage


def groups_of(event: PlainEvent, names: Sequence[str]) -> list[tuple[str | None, ...]]:
    found: list[tuple[Any, ...]] = [()]
    for name in names:
        values: list[Any] = sorted(set(event.tags)) if name == "tag" else [getattr(event, name)]
        found = [(*group, value) for group in found for value in values or [None]]
    return found


def summed(events: Sequence[PlainEvent], facts: Sequence[Markup], question: UsageQuestion) -> list[UsageSum]:
    position = POSITIONS if question.as_of is None else min(question.as_of, POSITIONS)
    sums: defaultdict[tuple[int, tuple[str | None, ...], Decimal], UsageSums] = defaultdict(UsageSums)
    used: defaultdict[tuple[int, tuple[str | None, ...]], dict[str, Decimal]] = defaultdict(dict)
    for event in events:
        if not held(event, position) or event.type not in (question.event_types or ("llm.request",)):
            continue
        if question.customer_id not in (None, event.customer):
            continue
        if question.models is not None and event.model not in question.models:
            continue
        markup = markup_of(facts, event, position) if question.split_markup else Decimal(0)
        one = UsageSums(
            1, event.input_tokens, event.cached_input_tokens, event.cache_write_tokens, event.output_tokens,
            event.reasoning_tokens, event.cost_usd or Decimal(0), int(event.cost_origin == "unknown"),
            int(event.parent_request is None),
        )  # fmt: skip
        for index, segment in enumerate(question.segments):
            if segment.start <= event.time < segment.end:
                for group in groups_of(event, question.group_by):
                    sums[index, group, markup] = sums[index, group, markup].plus(one)
                    for unit, quantity in event.units if question.with_units else ():
                        added = used[index, group].get(unit, Decimal(0))
                        used[index, group][unit] = EXACT.add(added, quantity)
    ordered = sorted(sums, key=lambda key: (key[0], [(name is not None, name or "") for name in key[1]], key[2]))
    answer = []
    for index, group, markup in ordered:  # the units of a group are with the first of its markups
        of_units = {unit: total for unit, total in used.pop((index, group), {}).items() if total}
        whole = msgspec.structs.replace(sums[index, group, markup], units=of_units)
        answer.append(UsageSum(index, group, whole, markup))
    return answer


@given(st.lists(versions(), min_size=5, max_size=25), facts_of_a_log, questions())
@settings(max_examples=100, deadline=None)
def test_sums_equal_plain_sums_over_the_same_events(
    drawn: list[PlainEvent], facts: list[Markup], question: UsageQuestion
) -> None:
    scope = next(SCOPES)
    for customer in "abc":  # known from the first position on
        STORE.customer_key(scope, customer)
    STORE.add_events(scope, drawn)
    for fact in facts:
        fields = {} if fact.kind == "customer.deleted" else {"markup_percentage": fact.percentage}
        STORE.add_fact(scope, fact.customer, fact.position, fact.effective_at, fact.kind, fields)
    with STORE.reads.snapshot() as snapshot:
        assert snapshot.usage(scope, question) == summed(drawn, facts, question)
        then = POSITIONS - 2
        known_then = msgspec.structs.replace(
            question, as_of=then if question.as_of is None else min(then, question.as_of)
        )
        assert snapshot.as_of(then).usage(scope, question) == summed(drawn, facts, known_then)


@given(st.lists(versions(), max_size=15), st.lists(instants, min_size=3, max_size=6, unique=True))
@settings(max_examples=35, deadline=None)
def test_any_partition_of_an_interval_adds_up_to_the_interval(drawn: list[PlainEvent], cuts: list[datetime]) -> None:
    scope = next(SCOPES)
    STORE.add_events(scope, drawn)
    cuts.sort()
    groups = ("customer", "model")
    parts = tuple(Segment(start, end) for start, end in pairwise(cuts))
    with STORE.reads.snapshot() as snapshot:
        of_parts = snapshot.usage(scope, UsageQuestion(parts, group_by=groups, with_units=True))
        whole_segment = (Segment(cuts[0], cuts[-1]),)
        of_whole = snapshot.usage(scope, UsageQuestion(whole_segment, group_by=groups, with_units=True))
    total: defaultdict[tuple[str | None, ...], UsageSums] = defaultdict(UsageSums)
    for part in of_parts:
        total[part.group] = total[part.group].plus(part.sums)
    assert total == {whole.group: whole.sums for whole in of_whole}


def test_a_day_without_usage_left_after_voids_is_in_no_answer() -> None:
    scope = next(SCOPES)
    STORE.add_events(scope, [PlainEvent(counted_at=1, closed_at=3, cost_usd=Decimal("0.5"), cost_origin="producer")])
    day = Segment(START, START + timedelta(days=1))
    with STORE.reads.snapshot() as snapshot:
        assert snapshot.usage(scope, UsageQuestion((day,))) == []
        assert snapshot.usage(scope, UsageQuestion((day,), as_of=2)) == [
            UsageSum(0, (), UsageSums(events=1, cost_usd=Decimal("0.5"), root_requests=1))
        ]


def test_properties_group_by_hostile_paths_and_keep_strings_apart_from_nothing() -> None:
    scope = next(SCOPES)
    hostile = "a'); DROP TABLE usage_rows; --/~$[*]\""
    texts = [json.dumps({hostile: "x"}), '{"deep": {"er": 3}}', None]
    STORE.add_events(scope, [PlainEvent(properties=text, row=row) for row, text in enumerate(texts)])
    question = UsageQuestion(
        (Segment(START, START + timedelta(days=1)),), group_by=(f"property:{hostile}", "property:deep.er")
    )
    with STORE.reads.snapshot() as snapshot:
        found = [(one.group, one.sums.events) for one in snapshot.usage(scope, question)]
    assert found == [((None, None), 1), ((None, "3"), 1), (("x", None), 1)]


def test_the_same_day_in_another_scope_is_not_summed() -> None:
    mine, other = next(SCOPES), next(SCOPES)
    STORE.add_events(mine, [PlainEvent(input_tokens=1)])
    STORE.add_events(other, [PlainEvent(input_tokens=2)])
    whole = UsageQuestion((Segment(datetime(2025, 12, 31, 12, tzinfo=UTC), START + timedelta(hours=30)),))
    with STORE.reads.snapshot() as snapshot:
        assert [one.sums for one in snapshot.usage(mine, whole)] == [
            UsageSums(events=1, input_tokens=1, root_requests=1)
        ]
        assert snapshot.usage(Scope("never-heard-of", "prod"), whole) == []
