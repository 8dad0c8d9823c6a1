"""A log with backfills, and the read store that it folds to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.backfills.backfill_range import BackfillMode, BackfillRange
from domain.backfills.commands import CancelBackfill, CommitBackfill, OpenBackfill, RevertBackfill
from domain.scope import DEFAULT_SCOPE
from domain.streams import staged_stream
from tests.projections.folded_log import BY_TEST, FoldedLog

MARCH = BackfillRange(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))


class Backfilled(FoldedLog):
    """Commands about backfills of the default scope, each folded at once."""

    def open(self, name: str, mode: BackfillMode = "add", asked: BackfillRange = MARCH) -> None:
        self._handle(OpenBackfill(DEFAULT_SCOPE, BY_TEST, name, asked, mode))

    def commit(self, name: str, previewed_at: int | None = None) -> int:
        """Commit with a preview of now, and return the position of the commit."""
        self.fold()
        blocks = self.loaded_blocks(name)
        at = self.log.head_position() if previewed_at is None else previewed_at
        return self._handle(CommitBackfill(DEFAULT_SCOPE, BY_TEST, name, at, blocks))

    def loaded_blocks(self, name: str) -> int:
        return self.log.head_version(staged_stream(DEFAULT_SCOPE, name))

    def revert(self, name: str) -> int:
        return self._handle(RevertBackfill(DEFAULT_SCOPE, BY_TEST, name))

    def cancel(self, name: str) -> int:
        return self._handle(CancelBackfill(DEFAULT_SCOPE, BY_TEST, name))

    def backfilled(self, name: str, events: list[dict[str, Any] | bytes], mode: BackfillMode = "add") -> int:
        """Open, load and commit; return the position of the commit."""
        self.open(name, mode)
        self.load(name, events)
        return self.commit(name)

    def _handle(self, command: Any) -> int:
        position = self.commands.handle(command).position
        assert position is not None
        self.fold()
        return position

    def totals(self) -> tuple[int, int, int, int, int]:
        """Events by outcome, after asserting that they are those received."""
        [row] = self.ask(
            "SELECT sum(received), sum(counted), sum(duplicate), sum(conflict), sum(rejected), sum(withdrawn)"
            " FROM log_records"
        )
        received, *outcomes = (int(one) for one in row)
        assert received == sum(outcomes)
        counted, duplicate, conflict, rejected, withdrawn = outcomes
        return counted, duplicate, conflict, rejected, withdrawn


@pytest.fixture
def folded(tmp_path: Path) -> Iterator[Backfilled]:
    log = Backfilled(tmp_path / "read")
    yield log
    log.close()
