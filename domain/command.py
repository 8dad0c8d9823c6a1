"""Commands: frozen values that say what is wanted, and decide on the aggregates that they concern.

A command comes from HTTP, Kafka, a file, a dialect or the engine itself. Whoever carries it out does four things:

1. Ask for its `streams`, and keep other commands away from them.
2. Have it executed. It loads the aggregates that it concerns through `Aggregates`; what it raises is a refusal.
3. Append the events of the aggregates in `Executed.changed`, all in one append.
4. Do it again from 2 when another process wrote to one of them in between.

Executing is pure: the time comes with the context, events and keys come through `Aggregates`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from domain.aggregate import Aggregate, CommandContext
from domain.errors import InvalidInput
from domain.event import Provenance
from domain.scope import Scope

EFFECTIVE_MIN: Final = datetime(1980, 1, 1, tzinfo=UTC)
EFFECTIVE_LIMIT: Final = datetime(2200, 1, 1, tzinfo=UTC)

A = TypeVar("A", bound=Aggregate)
S = TypeVar("S")

#: Makes the `PersonalSeal` of one customer. Its type is `Any` because customers stand above this module.
SealOf = Callable[[Scope, str], Any]


class Aggregates(Protocol):
    """The aggregates of the log, for one execution of a command."""

    @property
    def seal_of(self) -> SealOf:
        """The encryption of the customers that are loaded."""

    def load(self, blank: A) -> A:
        """Return an aggregate with all its events; the same object whenever its stream is asked for again."""


class Executed(msgspec.Struct, Generic[S], frozen=True):
    """An executed command: the state to answer, and the aggregates whose events are to be appended, in this order."""

    state: S
    changed: tuple[Aggregate, ...] = ()


class Command(msgspec.Struct, Generic[S], frozen=True):
    """The base of all commands; `S` is the type of the state that one answers."""

    @property
    def provenance(self) -> Provenance:
        """Who gives the command, through which dialect, and why."""
        raise NotImplementedError

    def context(self, recorded_at: datetime, arrived_at: datetime | None = None) -> CommandContext:
        """Return the context in which it is executed; `InvalidInput` when it must not be effective from its instant."""
        return CommandContext(recorded_at, self.provenance, None, arrived_at)

    def with_randomness(self, randomness: Callable[[int], bytes]) -> Command[S]:
        """Return the command with everything random in it drawn, so that it decides alike however often it is tried."""
        return self

    def streams(self, seal_of: SealOf) -> tuple[str, ...]:
        """Return the streams that it is known to concern; executing it may find more. `InvalidInput` for a bad id."""
        raise NotImplementedError

    def execute(self, aggregates: Aggregates, context: CommandContext) -> Executed[S]:
        """Decide. What it raises refuses the command; then nothing may be appended. It may be called several times."""
        raise NotImplementedError


class ScopedCommand(Command[S], Generic[S], frozen=True):
    """A command about the data of one tenant and environment."""

    scope: Scope
    provenance: Provenance


class AggregateCommand(ScopedCommand[A], Generic[A], frozen=True):
    """A command about one aggregate, which is the state that it answers."""

    def blank(self, seal_of: SealOf) -> A:
        """Return the aggregate without any events; `InvalidInput` for a bad id."""
        raise NotImplementedError

    def apply(self, aggregate: A, context: CommandContext) -> None:
        """Decide on the aggregate. After an exception it must be discarded: some events may have been produced."""
        raise NotImplementedError

    def streams(self, seal_of: SealOf) -> tuple[str, ...]:
        """Return the stream of the aggregate."""
        return (self.blank(seal_of).id,)

    def execute(self, aggregates: Aggregates, context: CommandContext) -> Executed[A]:
        """Load the aggregate and apply the command to it."""
        aggregate = aggregates.load(self.blank(aggregates.seal_of))
        self.apply(aggregate, context)
        return Executed(aggregate, (aggregate,))


class EffectiveDatedCommand(AggregateCommand[A], Generic[A], frozen=True, kw_only=True):
    """A command that may be effective from another instant than that of its recording (None: from its arrival)."""

    effective_at: datetime | None = None

    def context(self, recorded_at: datetime, arrived_at: datetime | None = None) -> CommandContext:
        """Return the context in which it is executed; `InvalidInput` when `effective_at` is out of range."""
        asked = None if self.effective_at is None else checked_effective_at(self.effective_at)
        return CommandContext(recorded_at, self.provenance, asked, arrived_at)


def checked_effective_at(moment: datetime) -> datetime:
    """Return the effective instant of a command in UTC; `InvalidInput` when it is not between 1980 and 2200."""
    if moment.tzinfo is None or not EFFECTIVE_MIN <= moment < EFFECTIVE_LIMIT:
        raise InvalidInput("effective_at", "must be an instant with an offset, between 1980 and 2200")
    return moment.astimezone(UTC)
