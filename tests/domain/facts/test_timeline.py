"""A state at an instant follows from the facts alone, in whatever order they arrive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.facts.in_effect import with_operations
from domain.facts.timeline import Change, Timeline

START = datetime(2026, 11, 1, tzinfo=UTC)


def on(day: int) -> datetime:
    return START + timedelta(days=day - 1)


def change(day: int, order: int, *patched: str, **fields: Any) -> Change:
    return Change(on(day), order, fields, frozenset(patched))


values = st.none() | st.integers(0, 3)
limits = st.dictionaries(st.sampled_from(["claude", "gpt-4o"]), values, max_size=2)
operations = st.one_of(
    st.tuples(st.just(frozenset[str]()), st.dictionaries(st.sampled_from(["blocked", "markup"]), values, min_size=1)),
    st.tuples(st.just(frozenset[str]()), st.fixed_dictionaries({"model_limits": limits})),
    st.tuples(st.just(frozenset({"model_limits"})), st.fixed_dictionaries({"model_limits": limits})),
)
histories = st.lists(st.tuples(st.integers(1, 9), operations), max_size=6)


@given(histories, st.randoms(use_true_random=False), st.integers(0, 10))
def test_the_order_of_arrival_changes_no_state(history: list[Any], random: Any, day: int) -> None:
    changes = [Change(on(at), number, fields, patched) for number, (at, (patched, fields)) in enumerate(history)]
    arrived = Timeline()
    for one in random.sample(changes, len(changes)):
        arrived.add(one)
    plain: dict[str, Any] = {}
    for one in sorted(changes, key=lambda one: one.key):
        if one.effective_at <= on(day):
            plain = with_operations(plain, one.fields, one.patched)
    assert arrived.at(on(day)) == Timeline(changes).at(on(day)) == plain
    assert list(arrived.states()) == list(Timeline(changes).states())
    assert dict(arrived.states()).keys() == {one.effective_at for one in changes}


def test_a_fact_between_two_equal_ones_is_undone_by_the_second() -> None:
    said = change(5, 1, blocked=True), change(15, 2, blocked=True), change(10, 3, blocked=None)
    for arrived in permutations(said):
        timeline = Timeline(arrived)
        assert [timeline.at(on(day)).get("blocked") for day in (4, 5, 10, 15)] == [None, True, None, True]


def test_patches_of_a_map_add_up_in_any_order() -> None:
    said = (
        change(10, 1, "model_limits", model_limits={"claude": 9}),
        change(5, 2, "model_limits", model_limits={"gpt-4o": 0}),
    )
    for arrived in permutations(said):
        timeline = Timeline(arrived)
        assert timeline.at(on(9)) == {"model_limits": {"gpt-4o": 0}}
        assert timeline.at(on(10)) == {"model_limits": {"gpt-4o": 0, "claude": 9}}


def test_a_map_that_is_set_discards_what_was_merged_before_it_took_effect() -> None:
    timeline = Timeline([change(5, 1, "metadata", metadata={"a": {"b": 1}}), change(10, 2, metadata={"c": 2})])
    timeline.add(change(12, 3, "metadata", metadata={"c": None, "d": {"e": None, "f": 1}}))
    assert [timeline.at(on(day)) for day in (5, 10, 12)] == [
        {"metadata": {"a": {"b": 1}}},
        {"metadata": {"c": 2}},
        {"metadata": {"d": {"f": 1}}},
    ]


def test_of_facts_of_one_instant_the_one_that_arrived_last_wins() -> None:
    assert Timeline([change(5, 2, name="B"), change(5, 1, name="A")]).at(on(5)) == {"name": "B"}


def test_a_timeline_tried_with_a_change_stays_as_it_is() -> None:
    timeline = Timeline([change(5, 1, name="A")])
    assert timeline.with_change(change(6, 2, name="B")).latest() == {"name": "B"}
    assert timeline.latest() == {"name": "A"}
