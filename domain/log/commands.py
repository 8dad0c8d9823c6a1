"""Commands about the log itself, which the engine gives: seal it, announce closed periods."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.aggregate import CommandContext
from domain.command import Aggregates, Command, Executed, SealOf
from domain.event import Provenance
from domain.log.events import ClosingsAnnounced, LogSealed
from domain.log.log_end import LogEnd
from domain.streams import LOG_STREAM

ENGINE: Final = Provenance(actor="engine")


class SealLog(Command[LogSealed], frozen=True):
    """Append a seal: the running hash up to `position` is `running_hash`. The state answered is the seal that stands.

    Writes nothing when the last seal reaches that far, or when that seal is the only record since.
    """

    position: int
    running_hash: bytes
    provenance: Provenance = ENGINE

    def streams(self, seal_of: SealOf) -> tuple[str, ...]:
        """Return the log's own stream."""
        return (LOG_STREAM,)

    def execute(self, aggregates: Aggregates, context: CommandContext) -> Executed[LogSealed]:
        """Seal as far as nothing is sealed."""
        end = aggregates.load(LogEnd())
        return Executed(end.seal(self.position, self.running_hash, context), (end,))


class AnnounceClosings(Command[ClosingsAnnounced], frozen=True):
    """Announce that every period whose grace ended at or before `until` is closed, unless that was announced.

    The state answered is the announcement that stands.
    """

    until: datetime
    provenance: Provenance = ENGINE

    def streams(self, seal_of: SealOf) -> tuple[str, ...]:
        """Return the log's own stream."""
        return (LOG_STREAM,)

    def execute(self, aggregates: Aggregates, context: CommandContext) -> Executed[ClosingsAnnounced]:
        """Announce what was not announced."""
        end = aggregates.load(LogEnd())
        return Executed(end.announce(self.until, context), (end,))
