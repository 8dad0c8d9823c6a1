"""Events about the log itself: its creation, its seals, and the announcements of closed periods."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.event import LifecycleEvent

#: The format of the log that this version writes, and the newest that it reads.
LOG_FORMAT: Final = 1

#: The topics of these events in the log; they never change.
LOG_CREATED: Final = "log.created"
LOG_SEALED: Final = "log.sealed"
LOG_CLOSINGS_ANNOUNCED: Final = "log.closings_announced"


class LogCreated(LifecycleEvent, frozen=True, kw_only=True):
    """The first record of every log, at position 1."""

    log_id: str
    log_format: int
    hash_seed: int  # key of identity and content hashes, 64 bits


class LogSealed(LifecycleEvent, frozen=True, kw_only=True):
    """A seal: the running hash over all records up to and including `position`."""

    position: int
    running_hash: bytes


class ClosingsAnnounced(LifecycleEvent, frozen=True, kw_only=True):
    """Every period that ended, closing grace included, at or before `until` is closed. Changes no number."""

    until: datetime
