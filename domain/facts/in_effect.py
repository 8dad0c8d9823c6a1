"""Facts in the order in which they take effect, and the states that they make.

1. A deletion cuts off the facts that were known before it and are effective at its instant or later.
2. The others are sorted by effective instant; of equal instants, by position.
3. Their operations are applied one after the other. A creation is a fact like any other; a deletion clears everything.

So the order of arrival matters only between facts of one instant, and between a deletion and what it cuts off.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, Protocol, TypeVar

import msgspec

from domain.facts.operations import MERGES

_CREATED: Final = ".created"
_DELETED: Final = ".deleted"
_EFFECT_ORDER: Final = attrgetter("effective_at", "position")
_NO_FIELDS: Final[Mapping[str, Any]] = {}
_NOTHING_SET: Final[Mapping[str, Mapping[str, Any]]] = {}


class DatedFact(Protocol):
    """A fact as it is read: `kind` is its topic in the log, "subject.verb"; see `apply_operations` for the rest."""

    @property
    def position(self) -> int:
        """Where it stands in the log."""

    @property
    def effective_at(self) -> datetime:
        """From when it holds."""

    @property
    def kind(self) -> str:
        """What happened."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields that it sets, clears or patches."""

    @property
    def patched(self) -> Collection[str]:
        """The names of those that it patches."""


F = TypeVar("F", bound=DatedFact)


class State(msgspec.Struct, frozen=True):
    """The fields that are set from `since` on. `created_at`: the instant of the creation; None: there was none yet."""

    since: datetime
    created_at: datetime | None
    fields: Mapping[str, Any]


class Existing(msgspec.Struct, frozen=True):
    """The state, from `since` on, of something that was created."""

    since: datetime
    created_at: datetime
    fields: Mapping[str, Any]


def apply_operations(state: dict[str, Any], fields: Mapping[str, Any], patched: Collection[str] = ()) -> None:
    """Apply the operations of one fact to a state, in place. The values in the state are replaced, never changed.

    A field of `fields` is set, or cleared when its value is None; one that is in `patched` is merged, as into an empty
    map where it is not set. A map that becomes empty by a patch stays set.
    """
    for name, value in fields.items():
        if value is None:
            state.pop(name, None)
        elif name in patched and isinstance(value, Mapping):
            state[name] = MERGES[name](state.get(name), value)
        else:
            state[name] = value


def with_operations(
    state: Mapping[str, Any], fields: Mapping[str, Any], patched: Collection[str] = ()
) -> dict[str, Any]:
    """Return a state with the operations of one fact applied. See `apply_operations`."""
    after = dict(state)
    apply_operations(after, fields, patched)
    return after


def in_effect_order(facts: Sequence[F]) -> list[F]:
    """Return facts sorted by (effective_at, position): the order in which they take effect."""
    return sorted(facts, key=_EFFECT_ORDER)


def in_effect(facts: Sequence[F]) -> list[F]:
    """Return facts in the order in which they take effect, without those that a deletion cut off."""
    if not any(fact.kind.endswith(_DELETED) for fact in facts):
        return in_effect_order(facts)
    kept: list[F] = []
    cut_off_at: datetime | None = None
    for fact in sorted(facts, key=attrgetter("position"), reverse=True):
        if fact.kind.endswith(_DELETED):
            cut_off_at = fact.effective_at if cut_off_at is None else min(cut_off_at, fact.effective_at)
        elif cut_off_at is not None and fact.effective_at >= cut_off_at:
            continue
        kept.append(fact)
    return in_effect_order(kept)


def existing_at(facts: Sequence[DatedFact], instant: datetime, *, reaching_back: bool = False) -> Existing | None:
    """Return the state at an instant of what the facts, in any order, are about; None when it does not exist then.

    `reaching_back`: at an instant before its first creation, the state that this made.
    """
    every = states(in_effect(facts))
    by_then = [state for state in every if state.since <= instant]
    state = next(reversed(by_then), None)
    if reaching_back and not any(one.created_at is not None for one in by_then):
        state = next((one for one in every if one.created_at is not None), None)
    if state is None or state.created_at is None:
        return None
    return Existing(state.since, state.created_at, state.fields)


def states(
    facts: Sequence[DatedFact],
    until: datetime | None = None,
    set_by_kind: Mapping[str, Mapping[str, Any]] = _NOTHING_SET,
    of_interest: Collection[str] | None = None,
    initial: Mapping[str, Any] = _NO_FIELDS,
) -> list[State]:
    """Return the states up to and including `until` (None: all), in order of time; `facts` are those `in_effect`.

    A state is returned for each instant at which a field of interest is named (None: any field), a creation or a
    deletion takes effect; the last one of a life always is. `set_by_kind`: what facts of a kind set without naming it.
    `initial`: what is set before the first fact.
    """
    found: list[State] = []
    fields: dict[str, Any] = dict(initial)
    created_at: datetime | None = None
    since: datetime | None = None
    is_wanted = False
    for fact in facts:
        if until is not None and fact.effective_at > until:
            break
        ends = fact.kind.endswith(_DELETED)
        if since is not None and fact.effective_at > since and (is_wanted or ends):
            found.append(State(since, created_at, dict(fields)))
            is_wanted = False
        since = fact.effective_at
        if ends:
            fields, created_at, is_wanted = {}, None, True
            continue
        apply_operations(fields, fact.fields, fact.patched)
        if fact.kind in set_by_kind:
            apply_operations(fields, set_by_kind[fact.kind])
        if fact.kind.endswith(_CREATED):
            created_at, is_wanted = since, True
        is_wanted = is_wanted or of_interest is None or any(name in of_interest for name in fact.fields)
    if since is not None:
        found.append(State(since, created_at, fields))
    return found
