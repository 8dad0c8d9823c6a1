"""The engine as the API uses it: commands and intake to write, snapshots to read, and long-running operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from threading import Lock
from typing import Final, Literal, Protocol

import msgspec

from consumers.commands.amendments import Amendments
from consumers.commands.handler import CommandHandler
from consumers.intake.intake import Intake
from consumers.intake.process import IntakeHealth
from consumers.payments.checkouts import Checkouts
from consumers.prices.refresh import PricesRefreshed
from consumers.settings import Settings
from domain.scope import Scope
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.snapshot import ReadStore, ReceivedEvents, TriedBackfills
from projections.read_side.prepared_changes import AskedCommit


class FoldProgress(msgspec.Struct, frozen=True):
    """Lag of the fold behind the log."""

    position: int  # last folded position
    head: int  # last position in the log
    behind_seconds: float  # age of the oldest record that is not folded yet; 0 when there is none
    failure: str | None = None  # why folding fails at present; None when it does not


class Refusals(msgspec.Struct, frozen=True):
    """What the storage refuses at present: why, as a clause with advice; None while it does not."""

    writes: str | None  # nothing can be appended to the log; reads go on
    reads: str | None  # the read store cannot be read; the log takes writes all the same


#: The step of a start that folds again what a crash has undone.
CATCHING_UP: Final = "catching up"
#: The first step of a replay that goes on with what an earlier one has made durable.
TAKEN_UP: Final = "taken up"


class OperationStep(msgspec.Struct, frozen=True):
    """Progress of a replay or verification: in this stage, `done` of `total` in `unit`."""

    stage: str
    done: int
    total: int
    unit: str = "positions"


class Finding(msgspec.Struct, frozen=True):
    """One difference found by a verification: the view or part of the log, the key or position, and both values."""

    where: str
    key: str
    expected: str
    found: str


class OperationResult(msgspec.Struct, frozen=True):
    """Result of a replay or verification. `findings` is empty when nothing is wrong, and always for a replay."""

    operation: Literal["replay", "verify"]
    position: int
    records: int
    events: int
    findings: tuple[Finding, ...] = ()


class ReplayState(msgspec.Struct, frozen=True):
    """A replay that runs, or that was stopped and goes on with the next one: in this stage, `position` of `until`.

    Of one that was stopped, the position up to which its store is durable.
    """

    running: bool
    stage: str
    position: int
    until: int


class LastVerification(msgspec.Struct, frozen=True):
    """When the last verification ended, nightly or asked for, and how many differences it found."""

    at: datetime
    findings: int


class PortalSecret:
    """The secret that signs links to the portal: found when it is first asked for, then the same. Never shown."""

    def __init__(self, find: Callable[[], str]) -> None:
        self._find = find
        self._found: bytes | None = None
        self._finding = Lock()

    def get(self) -> bytes:
        """Return the secret."""
        with self._finding:
            if self._found is None:
                self._found = self._find().encode()
            return self._found


class LogRange(msgspec.Struct, frozen=True):
    """The positions from `first` to `end`, exclusive, of the log with this id in the data folder `source`."""

    source: str
    log_id: str
    first: int
    end: int
    finished: bool = False

    @property
    def is_from_start(self) -> bool:
        """Whether nothing before the end is left out."""
        return self.first <= 1

    @property
    def text(self) -> str:
        """The range in words."""
        last = self.end - 1
        if self.is_from_start:
            return f"the log of {self.source} up to position {last}"
        return f"usage of the log of {self.source} from position {self.first} to {last} alone, no totals"


class JobRuns(msgspec.Struct, frozen=True):
    """How often a scheduled job ran since the start, and how many of these runs failed."""

    name: str
    runs: int
    failures: int


class Measurements(msgspec.Struct, frozen=True, kw_only=True):
    """What a running engine counts, since its start, for those who watch it."""

    fold_steps: int
    fold_failures: int
    flushes: int  # times that all that was folded went into the files of the read side
    unflushed_records: int  # events and other records that are in memory alone, and folded again after a crash
    jobs: tuple[JobRuns, ...]
    intake: IntakeHealth | None  # None when usage is taken in the engine's own process
    verification: LastVerification | None  # None when there never was one


class Engine(Protocol):
    """The engine of one data folder. Safe to call from several threads."""

    settings: Settings
    commands: CommandHandler
    amendments: Amendments
    intake: Intake
    reads: ReadStore
    received: ReceivedEvents
    tried_backfills: TriedBackfills
    checkouts: Checkouts
    now: Callable[[], datetime]
    portal_secret: PortalSecret
    log_range: LogRange | None  # set where there is only a range of a log to look at, and nothing can be written

    def authenticate(self, secret: str) -> ApiKeyRecord | None:
        """Return the active key with this secret, or None; records the time of its use."""

    def last_used_at(self, key_id: str) -> datetime | None:
        """Return when a key was last used, to the minute; None if never. Not part of the log."""

    def wait_folded(self, position: int, timeout_seconds: float) -> bool:
        """Wait until `position` is folded; return False when the timeout passes first."""

    def folded_position(self) -> int:
        """Return the last folded position, without any I/O."""

    def prepare_commit(self, asked: AskedCommit) -> None:
        """Work out the commit of a backfill before its command is executed, so that its fold holds up no write.

        Takes seconds for a million events. Does nothing where there is little to do, or the backfill is not open.
        """

    def prepare_revert(self, scope: Scope, name: str) -> None:
        """Work out the revert of a backfill beforehand, likewise."""

    def blocks_loaded(self, scope: Scope, name: str) -> int:
        """Return the blocks in the log that hold what was loaded into a backfill, folded or not."""

    def progress(self) -> FoldProgress:
        """Return how far the fold is behind the log."""

    def refusals(self) -> Refusals:
        """Return what the storage refuses at present. It ends by itself once the storage allows."""

    def append_refused(self) -> None:
        """Note that an append to the log was refused by its storage."""

    def measurements(self) -> Measurements:
        """Return the engine's counts; of files it reads the size of one."""

    def replay(self) -> Iterator[OperationStep | OperationResult]:
        """Fold the log again from position 0 into a fresh read store and swap it in; the last item is the result.

        It goes on with what a replay that was stopped has made durable.
        """

    def replay_state(self) -> ReplayState | None:
        """Return how far the replay is that runs, or that was stopped; None when there is nothing to finish."""

    def verify(self) -> Iterator[OperationStep | OperationResult]:
        """Fold the log again beside the live store and compare every logical view; check buffers, chain and seals."""

    def refresh_prices(self, *, dry_run: bool) -> PricesRefreshed:
        """List what the installed price library knows of all models, where it differs; `dry_run`: only tell it."""

    def close(self) -> None:
        """Stop taking writes, fold what is in the log, and write out what is in memory."""
