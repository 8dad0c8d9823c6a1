"""Events about the log as a whole: its creation, its seals, the period closings announced in it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.event import LifecycleEvent

#: The format of the log that this program writes, and the newest that it can read.
LOG_FORMAT: Final = 1

#: Topics of these events in the log, which never change.
LOG_CREATED: Final = "log.created"
LOG_SEALED: Final = "log.sealed"
LOG_CLOSINGS_ANNOUNCED: Final = "log.closings_announced"


class LogCreated(LifecycleEvent, frozen=True, kw_only=True):
    """Always at position 1."""

    log_id: str
    log_format: int
    hash_seed: int  # key of identity and content hashes, 64 bits


class LogSealed(LifecycleEvent, frozen=True, kw_only=True):
    """The running hash over all records up to and including `position` was `running_hash`."""

    position: int
    running_hash: bytes


class ClosingsAnnounced(LifecycleEvent, frozen=True, kw_only=True):
    """Every period that ended, with its closing grace, at or before `until` is closed. Changes no number."""

    until: datetime
