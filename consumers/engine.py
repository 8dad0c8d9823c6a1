"""The engine as the api room sees it: one write side, one read side, and what it owes itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from consumers.commands.commands import Commands
from consumers.intake.intake import Intake
from consumers.settings import Settings
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.snapshot import ReadStore


class FoldProgress(msgspec.Struct, frozen=True):
    """How far the fold is behind the log."""

    position: int  # folded
    head: int  # in the log
    behind_seconds: float  # age of the oldest record not yet folded; 0 when there is none
    failure: str | None = None  # why the fold stands still, if it does


class OperationStep(msgspec.Struct, frozen=True):
    """Progress of something that lasts: `done` of `total` in `unit`, and at the end a result."""

    stage: str
    done: int
    total: int
    unit: str = "positions"


class Finding(msgspec.Struct, frozen=True):
    """One difference that `verify` found: in which view or part of the log, at which key or position, and what."""

    where: str
    key: str
    expected: str
    found: str


class OperationResult(msgspec.Struct, frozen=True):
    """How it ended. `findings` is empty when all is well (and always for rebuild)."""

    operation: Literal["rebuild", "verify"]
    position: int
    records: int
    events: int
    findings: tuple[Finding, ...] = ()


class Engine(Protocol):
    """Everything one data folder can do. Safe to call from several threads."""

    settings: Settings
    commands: Commands
    intake: Intake
    reads: ReadStore
    now: Callable[[], datetime]

    def authenticate(self, secret: str) -> ApiKeyRecord | None:
        """The living key with this secret; None when there is none. Notes its use."""

    def last_used_at(self, key_id: str) -> datetime | None:
        """When a key was last used, to the minute; None: never. Not part of the log."""

    def wait_folded(self, position: int, timeout_seconds: float) -> bool:
        """Wait until `position` is folded; False when it was not within the time."""

    def folded_position(self) -> int:
        """The last folded position. Costs nothing."""

    def progress(self) -> FoldProgress: ...

    def rebuild(self) -> Iterator[OperationStep | OperationResult]:
        """Fold the log again from position 0 into a fresh read store and swap it in. Ends with a result."""

    def verify(self) -> Iterator[OperationStep | OperationResult]:
        """Fold the log again beside the live store and compare every logical view; check buffers, chain and seals."""

    def close(self) -> None: ...
