"""Verification of the read store: check every byte of the log, fold it again beside the live store, and compare.

1. Hold the live store at its position P, whatever is folded meanwhile.
2. Read the log up to P and check the hashes of every buffer and the hash chain.
3. Fold the same records, checking the seals, into an empty store beside the live one.
4. Compare every logical view both ways, and the live rollups with the live rows.
5. Remove the second store. The live one is never changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from consumers.engine import Finding, OperationResult, OperationStep
from domain.customers.personal_keys import PersonalKeys
from domain.errors import DomainError, LogCorrupted, UnknownRecord
from domain.log.blocks import check_block
from domain.log.chain import CHAIN_START, chain
from domain.log.records import BLOCK_TOPICS, EventLog, LogRecord
from projections.errors import ProjectionError
from projections.folding.projector import Projector
from projections.identity.index import IdentityIndex
from projections.read_side.store import OpenedStore
from projections.read_side.verification import Difference, StoreComparison

FINDINGS_MAX: Final = 100
_READ_RECORDS_MAX: Final = 64


class Verification:
    """One verification of a live store. `scratch` is an empty folder for the second store."""

    def __init__(self, log: EventLog, keys: PersonalKeys, store: OpenedStore, scratch: Path) -> None:
        self._log = log
        self._keys = keys
        self._store = store
        self._scratch = scratch
        self._findings: list[Finding] = []

    def run(self) -> Iterator[OperationStep | OperationResult]:
        """Yield the steps as they are done, and at the end the result."""
        try:
            with self._store.compared(self._scratch) as stores:
                position, running_hash = stores.live.reached()
                events = yield from self._check_log(position, running_hash)
                yield from self._fold_again(stores, position)
                yield from self._compare(stores)
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)
        yield OperationResult("verify", position, position, events, tuple(self._findings[:FINDINGS_MAX]))

    def _check_log(self, until: int, expected: bytes) -> Generator[OperationStep, None, int]:
        position, running_hash, events = 0, CHAIN_START, 0
        while position < until:
            records = self._log.read(position, _READ_RECORDS_MAX, until)
            if not records:
                self._find("log", f"position {position + 1}", "a record", "nothing")
                return events
            for record in records:
                position += 1
                events += self._check_record(record, position)
            try:
                *_, running_hash = chain(running_hash, records)
            except (LogCorrupted, UnknownRecord) as error:
                self._find("log", f"positions {records[0].position} to {position}", "a readable chain", str(error))
                return events
            yield OperationStep("checking the log", position, until)
        if running_hash != expected:
            self._find("log chain", f"position {until}", expected.hex(), running_hash.hex())
        return events

    def _check_record(self, record: LogRecord, position: int) -> int:
        if record.position != position:
            self._find("log", f"position {position}", "a record", f"a record at position {record.position}")
        if record.topic not in BLOCK_TOPICS:
            return 0
        try:
            return check_block(record.state).count
        except (LogCorrupted, UnknownRecord) as error:
            self._find("log", f"position {position}", "buffers that match their hashes", str(error))
            return 0

    def _fold_again(self, stores: StoreComparison, until: int) -> Iterator[OperationStep]:
        position = 0
        try:
            with (
                stores.refolded() as store,
                closing(IdentityIndex.open(self._scratch / "identity", stores.log_id)) as index,
            ):
                projector = Projector(self._log, store, index, self._keys)
                while position < until and projector.step(until):
                    position = projector.position
                    yield OperationStep("folding again", position, until)
        except (DomainError, ProjectionError) as error:
            self._find("fold", f"after position {position}", "a log that folds", str(error))

    def _compare(self, stores: StoreComparison) -> Iterator[OperationStep]:
        for number, view in enumerate(stores.views):
            yield OperationStep("comparing", number, len(stores.views), "views")
            for difference in stores.differences(view):
                self._differ(difference)
        for difference in stores.rollup_differences():
            self._differ(difference)
        yield OperationStep("comparing", len(stores.views), len(stores.views), "views")

    def _differ(self, difference: Difference) -> None:
        here, there = (difference.row, "") if difference.side == "live" else ("", difference.row)
        self._find(difference.view, f"only in the {difference.side} store", there, here)

    def _find(self, where: str, key: str, expected: str, found: str) -> None:
        self._findings.append(Finding(where, key, expected, found))
