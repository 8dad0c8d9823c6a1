"""The aggregate of all backfills of a scope: it decides which may be open beside each other, and which reverted.

One aggregate holds them all, because two backfills that overlap must know of each other.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from domain.aggregate import Aggregate, CommandContext
from domain.backfills.backfill_range import BackfillMode, BackfillRange, checked_range
from domain.backfills.events import (
    BackfillCancelled,
    BackfillCommitted,
    BackfillEvent,
    BackfillOpened,
    BackfillReverted,
)
from domain.errors import AlreadyExists, CommandRefused, InvalidInput, NotFound
from domain.event import LifecycleEvent
from domain.scope import Scope
from domain.streams import backfills_stream
from domain.values.identifiers import checked_id

#: Backfills that a scope may ever have. Every command reads what became of all of them.
BACKFILLS_MAX: Final = 10_000

BackfillState = Literal["open", "committed", "reverted", "cancelled"]


class Backfill(msgspec.Struct, frozen=True):
    """A backfill. `committed_as`: how many were committed before it; None: it was not."""

    range: BackfillRange
    mode: BackfillMode
    state: BackfillState = "open"
    committed_as: int | None = None


class Backfills(Aggregate):
    """The backfills of one scope, by name. A name is used once."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(backfills_stream(scope))
        self.scope = scope
        self._all: dict[str, Backfill] = {}
        self._commits = 0

    def open(self, name: str, asked: BackfillRange, mode: BackfillMode, context: CommandContext) -> None:
        """Name a backfill. `AlreadyExists` when the name is taken; refused while another one overlaps with it."""
        checked_id("name", name)
        if name in self._all:
            raise AlreadyExists(f"backfill {name!r} exists already")
        asked = checked_range(asked)
        for other, known in self._all.items():
            if known.state == "open" and known.range.overlaps(asked):
                raise CommandRefused(f"backfill {other!r} is open and overlaps: commit or cancel it first")
        if len(self._all) >= BACKFILLS_MAX:
            raise CommandRefused(f"there are {BACKFILLS_MAX} backfills already, which is the most there can be")
        self._emit(BackfillOpened(**self._event_fields(name, context), range=asked, mode=mode))

    def commit(self, name: str, previewed_at: int, blocks: int, context: CommandContext) -> None:
        """Count the first `blocks` blocks of a backfill; no effect when that was done. Refused once it has ended."""
        known = self._existing(name)
        if previewed_at < 1:
            raise InvalidInput("previewed_at", "must be the position that the preview named")
        if known.state in ("reverted", "cancelled"):
            raise CommandRefused(f"backfill {name!r} was {known.state}; open another one")
        if known.state == "open":
            fields: dict[str, Any] = {"previewed_at": previewed_at, "blocks": blocks}
            fields |= self._event_fields(name, context)
            self._emit(BackfillCommitted(**fields, range=known.range, mode=known.mode))

    def revert(self, name: str, context: CommandContext) -> None:
        """Take a committed backfill back; no effect when that was done.

        Refused before it is committed, and while one that was committed after it overlaps with it.
        """
        known = self._existing(name)
        if known.state in ("open", "cancelled"):
            raise CommandRefused(f"backfill {name!r} was not committed: there is nothing to revert")
        if known.state == "reverted":
            return
        for other, later in self._all.items():
            is_later = later.state == "committed" and (later.committed_as or 0) > (known.committed_as or 0)
            if is_later and later.range.overlaps(known.range):
                raise CommandRefused(f"backfill {other!r} was committed later and overlaps: revert it first")
        self._emit(BackfillReverted(**self._event_fields(name, context)))

    def cancel(self, name: str, context: CommandContext) -> None:
        """Give an open backfill up; no effect when that was done. Refused once it is committed."""
        state = self._existing(name).state
        if state in ("committed", "reverted"):
            raise CommandRefused(f"backfill {name!r} was committed: it can only be reverted")
        if state == "open":
            self._emit(BackfillCancelled(**self._event_fields(name, context)))

    def apply(self, event: LifecycleEvent) -> None:
        """Apply an event of one of the backfills."""
        if isinstance(event, BackfillOpened):
            self._all[event.name] = Backfill(event.range, event.mode)
            return
        if not isinstance(event, BackfillEvent):
            raise self._unexpected_event(event)
        known = self._all[event.name]
        match event:
            case BackfillCommitted():
                self._commits += 1
                known = msgspec.structs.replace(known, state="committed", committed_as=self._commits)
            case BackfillReverted():
                known = msgspec.structs.replace(known, state="reverted")
            case BackfillCancelled():
                known = msgspec.structs.replace(known, state="cancelled")
            case _:
                raise self._unexpected_event(event)
        self._all[event.name] = known

    def _existing(self, name: str) -> Backfill:
        known = self._all.get(name)
        if known is None:
            raise NotFound(f"backfill {name!r} does not exist")
        return known

    def _event_fields(self, name: str, context: CommandContext) -> dict[str, Any]:
        scope = {"tenant": self.scope.tenant, "environment": self.scope.environment}
        return {**self._common_fields(context), **scope, "name": name}
