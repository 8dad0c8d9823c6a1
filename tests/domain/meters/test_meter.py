"""Custom meters: their events and effective instants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.aggregate import CommandContext
from domain.errors import InvalidInput, NotFound
from domain.event import Provenance
from domain.meters.commands import CreateMeter, DeleteMeter, MeterCommand, UpdateMeter
from domain.meters.events import MeterCreated, MeterDeleted, MeterUpdated
from domain.meters.meter import Meter
from domain.scope import DEFAULT_SCOPE

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(days=30), NOW + timedelta(days=30)
WHO = Provenance("key_1", "native", "asked")
COUNTED = {"event_type": "image.made", "aggregation": "count"}


def context(effective_at: datetime | None = None) -> CommandContext:
    return CommandContext(NOW, WHO, effective_at)


def meter(**fields: Any) -> Meter:
    made = Meter(DEFAULT_SCOPE, "images")
    made.create({**COUNTED, **fields}, context(EARLIER))
    made.collect_events()
    return made


def about(version: int, effective_at: datetime) -> dict[str, Any]:
    return {
        "stream": "meter/default/prod/images",
        "version": version,
        "recorded_at": NOW,
        "effective_at": effective_at,
        "provenance": WHO,
        "tenant": "default",
        "environment": "prod",
        "code": "images",
    }


def test_each_command_is_effective_from_its_effective_at() -> None:
    one = Meter(DEFAULT_SCOPE, "images")
    who = (DEFAULT_SCOPE, WHO, "images")
    commands: list[MeterCommand] = [
        CreateMeter(*who, {**COUNTED, "name": None, "group_by": ["style"]}, effective_at=EARLIER),
        UpdateMeter(*who, {"name": "Images"}, effective_at=LATER),
        UpdateMeter(*who, {"group_by": None}, effective_at=EARLIER),
        DeleteMeter(*who, effective_at=NOW - timedelta(days=1)),
    ]
    for command in commands:
        command.apply(one, command.context(NOW))

    assert one.collect_events() == [
        MeterCreated(**about(1, EARLIER), fields={**COUNTED, "group_by": {"style": "style"}}),
        MeterUpdated(**about(2, LATER), fields={"name": "Images"}),
        MeterUpdated(**about(3, EARLIER), fields={"group_by": None}),
        MeterDeleted(**about(4, NOW - timedelta(days=1))),
    ]
    assert (one.life, one.alive, one.began_at) == (2, False, NOW - timedelta(days=1))


def test_commands_without_an_instant_are_effective_from_their_recording() -> None:
    one = Meter(DEFAULT_SCOPE, "images")
    one.create(COUNTED, context())
    one.update({"name": "Images"}, context())
    one.delete(context())

    assert [event.effective_at for event in one.collect_events()] == [NOW, NOW, NOW]


def test_a_change_dated_back_holds_until_the_next_one() -> None:
    one = meter(name="A")
    one.update({"name": "C", "description": "c"}, context())
    one.update({"name": "B", "description": "b"}, context(NOW - timedelta(days=1)))

    assert list(one.timeline.states()) == [
        (EARLIER, {**COUNTED, "name": "A"}),
        (NOW - timedelta(days=1), {**COUNTED, "name": "B", "description": "b"}),
        (NOW, {**COUNTED, "name": "C", "description": "c"}),
    ]


def test_groups_are_replaced_as_a_whole() -> None:
    one = meter(group_by=["style", "region"])

    one.update({"group_by": ["size"]}, context())

    assert one.timeline.latest() == {**COUNTED, "group_by": {"size": "size"}}


@pytest.mark.parametrize("changes", [{"event_type": "image.made"}, {"aggregation": "max"}, {"value_property": None}])
def test_what_a_meter_counts_is_never_changed_not_even_back_dated(changes: dict[str, Any]) -> None:
    one = meter()

    with pytest.raises(InvalidInput, match="must not be changed") as refused:
        one.update(changes, context(EARLIER))

    assert ([refused.value.field], one.collect_events()) == ([*changes], [])


@pytest.mark.parametrize(
    "command",
    [
        lambda one: one.update({"name": "x"}, context()),
        lambda one: one.update({}, context(EARLIER)),
        lambda one: one.delete(context()),
        lambda one: one.delete(context(LATER)),
    ],
)
def test_commands_on_a_missing_meter_are_refused(command: Callable[[Meter], None]) -> None:
    gone = meter()
    gone.delete(context())
    gone.collect_events()

    for one in (Meter(DEFAULT_SCOPE, "images"), gone):
        with pytest.raises(NotFound, match="meter 'images' does not exist"):
            command(one)
        assert one.collect_events() == []
