"""The present life of a customer as its stream tells it: for usage, which needs no more of the customer than this."""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.customers.events import (
    CustomerCreated,
    CustomerDeleted,
    CustomerEvent,
    CustomerFactsCarried,
    CustomerUpdated,
)


class PresentLife(msgspec.Struct, frozen=True):
    """The life after the events of a stream up to `version`. `number` counts from 1, `began_at`: see `Customer`.

    `has_carried`: its stream tells that usage carries facts about it. `has_sealed`: something was encrypted under its
    key, so that the key exists, or is lost.
    """

    version: int = 0
    number: int = 1
    began_at: datetime | None = None
    has_carried: bool = False
    has_sealed: bool = False

    def after(self, event: CustomerEvent) -> PresentLife:
        """Return the life after the next event of the stream."""
        match event:
            case CustomerDeleted():
                return PresentLife(event.version, self.number + 1, event.effective_at)
            case CustomerFactsCarried():
                sealed = self.has_sealed or event.personal_key_id is not None
                return PresentLife(event.version, self.number, self.began_at, True, sealed)
            case CustomerCreated() | CustomerUpdated():
                sealed = self.has_sealed or event.personal is not None
                return msgspec.structs.replace(self, version=event.version, has_sealed=sealed)
            case _:
                return msgspec.structs.replace(self, version=event.version)

    def holds(self, instant: datetime) -> bool:
        """Whether an event at this instant belongs to the life; if not, to one that has ended."""
        return self.began_at is None or self.began_at <= instant
