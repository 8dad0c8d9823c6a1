"""Checks before the fold resumes: the read store must belong to the log, and the identity index must be complete."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from domain.errors import LogCorrupted, UnknownRecord
from domain.log.blocks import decode_typed, header_end
from domain.log.chain import CHAIN_START, chain
from domain.log.event_codec import check_known, decode_lifecycle
from domain.log.events import LOG_FORMAT, LogCreated, LogSealed
from domain.log.records import BLOCK_TOPICS, USAGE_BATCH_TOPIC, EventLog, LogRecord
from domain.streams import LOG_STREAM
from domain.usage.locators import LOCATOR_ROW_BITS, locator_of
from projections.arrow_columns import unsigned
from projections.errors import IdentityIndexCorrupted, ReadStoreMismatch
from projections.folding.fold_store import FoldStore
from projections.folding.step_planning import CHANGES_OF_CLAIMS
from projections.identity.entries import NO_U64, U64
from projections.identity.index import IdentityIndex

READ_RECORDS_MAX: Final = 64
#: The last records of the log's own stream that are searched for a seal to start from.
SEALS_SEARCHED_MAX: Final = 1_000


def log_creation(log: EventLog) -> LogCreated:
    """The first record of a log.

    `ReadStoreMismatch` when the log does not begin with its creation, `UnknownRecord` when a newer release wrote it.
    """
    first = log.read(0, 1)
    event = decode_lifecycle(first[0].topic, first[0].state) if first else None
    if not isinstance(event, LogCreated):
        raise ReadStoreMismatch("the log does not begin with its creation; this is not a Meterfold log")
    if event.log_format > LOG_FORMAT:
        raise UnknownRecord(
            f"the log has format {event.log_format}, written by a newer release; this one knows {LOG_FORMAT}: "
            "start the newer release on this data folder"
        )
    return event


def check_last_records(log: EventLog) -> None:
    """Raise `UnknownRecord` when one of the last `READ_RECORDS_MAX` records of the log is of a newer release."""
    for record in log.read(max(0, log.head_position() - READ_RECORDS_MAX), READ_RECORDS_MAX):
        try:
            if record.topic in BLOCK_TOPICS:
                header_end(record.state)
            else:
                check_known(record.topic, record.state)
        except LogCorrupted:
            continue  # the fold tells what is wrong with it
        except UnknownRecord as error:
            raise UnknownRecord(f"log position {record.position}: {error}") from error


def check_store_against_log(log: EventLog, store: FoldStore) -> None:
    """Raise `ReadStoreMismatch` unless the store's running hash is the log's at the store's position.

    1. The log must reach that position.
    2. The last seal at or before it must have the running hash that the store has there.
    3. The hash chain is computed from there over the records of the log, and must end in the store's running hash.
    """
    folded, folded_hash = store.reached()
    if log.head_position() < folded:
        raise ReadStoreMismatch(
            f"the log ends at position {log.head_position()}, but the read store has folded {folded}: "
            "the log was restored from an older backup. 'meterfold replay' folds what the log holds"
        )
    sealed = _last_seal(log, folded)
    position, running_hash = (0, CHAIN_START) if sealed is None else (sealed.position, sealed.running_hash)
    if sealed is not None and store.running_hash_at(position) != running_hash:
        raise ReadStoreMismatch(_hash_mismatch(position))
    while position < folded:
        records = log.read(position, READ_RECORDS_MAX, folded)
        *_, running_hash = chain(running_hash, records)
        position = records[-1].position
    if running_hash != folded_hash:
        raise ReadStoreMismatch(_hash_mismatch(folded))


def _hash_mismatch(position: int) -> str:
    return (
        f"the read store was folded from other records than the log holds up to position {position}; "
        "'meterfold replay' folds what the log holds"
    )


def _last_seal(log: EventLog, until: int) -> LogSealed | None:
    head = log.head_version(LOG_STREAM)
    for record in reversed(log.stream(LOG_STREAM, max(0, head - SEALS_SEARCHED_MAX))):
        event = decode_lifecycle(record.topic, record.state)
        if isinstance(event, LogSealed) and event.position <= until:
            return event
    return None


def catch_up_index(
    index: IdentityIndex,
    folder: Path,
    log: EventLog,
    store: FoldStore,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Add the claims that are committed in the store and missing from the index.

    Raises `IdentityIndexCorrupted` when the index covers records that the store has not folded, or another history.
    """
    folded, _ = store.reached()
    covered = index.covered_position
    if covered > folded or (covered and store.running_hash_at(covered) != index.running_hash):
        raise IdentityIndexCorrupted(folder, f"it covers log position {covered} of another history")
    while covered < folded:
        records = log.read(covered, READ_RECORDS_MAX, folded)
        for record in records:
            claims = (NO_U64, NO_U64, NO_U64)
            if record.topic == USAGE_BATCH_TOPIC:
                refused = store.refused_locators(locator_of(record.position, 0), locator_of(record.position + 1, 0))
                claims = claims_of(record, refused)
            elif record.topic in CHANGES_OF_CLAIMS:
                claims = late_claims(log, store.claimed_at(record.position))
            running_hash = store.running_hash_at(record.position)
            if running_hash is None:
                raise ReadStoreMismatch(f"the read store has no trace of log position {record.position}")
            index.add(*claims, up_to_position=record.position, running_hash=running_hash)
            if index.is_full():
                index.checkpoint()  # the store has everything up to here in its files
        covered = records[-1].position
        if on_progress is not None:
            on_progress(covered)


def claims_of(record: LogRecord, refused: Sequence[int]) -> tuple[U64, U64, U64]:
    """The identity claims of an already folded usage batch: those of all its events but the `refused` locators."""
    typed = pa.Table.from_batches([decode_typed(record.state)])
    locators = np.uint64(locator_of(record.position, 0)) + np.arange(typed.num_rows, dtype=np.uint64)
    stands = ~np.isin(locators, np.array(refused, dtype=np.uint64))
    return unsigned(typed, "identity")[stands], unsigned(typed, "content")[stands], locators[stands]


def late_claims(log: EventLog, locators: Sequence[int]) -> tuple[U64, U64, U64]:
    """The claims of the events at these locators, which claimed later than they came."""
    found = np.unique(np.array(locators, dtype=np.uint64))
    parts: list[tuple[U64, U64, U64]] = [(NO_U64, NO_U64, NO_U64)]
    for position in np.unique(found >> np.uint64(LOCATOR_ROW_BITS)).tolist():
        [record] = log.read(position - 1, 1)
        identities, contents, of_block = claims_of(record, ())
        asked = np.isin(of_block, found)
        parts.append((identities[asked], contents[asked], of_block[asked]))
    identities, contents, of_blocks = (np.concatenate(column) for column in zip(*parts, strict=True))
    return identities, contents, of_blocks
