"""Speed of the identity index: ids looked up, resolved and added per second, in blocks with 1 % duplicates.

    python -m bench.identity [ids stored ...]

Takes a few seconds.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from domain.usage.block_schema import BLOCK_EVENTS_MAX
from domain.usage.locators import LOCATOR_ROW_BITS
from projections.identity.entries import U64, Rows
from projections.identity.index import IdentityIndex
from projections.identity.resolution import NO_GROUP, Mask, ReceivedRows, resolve

STORED: Final = (100_000, 1_000_000, 2_000_000)
MEASURED_BLOCKS: Final = 60
DUPLICATES_PER_BLOCK: Final = BLOCK_EVENTS_MAX // 100
SEED: Final = 20260901


def main(stored_counts: tuple[int, ...]) -> None:
    """Measure at each number of stored ids and print a line for each."""
    print(
        f"{'stored':>12} {'lookup+resolve+add':>18} {'lookup':>12} {'resolve':>12} {'add':>12} {'open':>8} runs  filter"
    )
    for stored in stored_counts:
        with tempfile.TemporaryDirectory() as folder:
            print(_measured(Path(folder), stored))


def _measured(folder: Path, stored: int) -> str:
    random = np.random.default_rng(SEED)
    known = _filled(folder, stored, random)
    started = time.perf_counter()
    index = IdentityIndex.open(folder, "bench")
    opened_seconds = time.perf_counter() - started
    seconds = np.zeros(3)
    for _ in range(MEASURED_BLOCKS):
        rows = _block(index.covered_position + 1, random.choice(known, DUPLICATES_PER_BLOCK), random)
        seconds += _fold_block(index, rows)
    ids = MEASURED_BLOCKS * BLOCK_EVENTS_MAX
    total, (lookup, resolving, adding) = ids / seconds.sum(), ids / seconds
    return (
        f"{stored:>12,} {total:>16,.0f}/s {lookup:>10,.0f}/s {resolving:>10,.0f}/s {adding:>10,.0f}/s"
        f" {opened_seconds:>7.3f}s {index.run_count:>4}  {index.filter_bytes >> 20} MiB"
    )


def _filled(folder: Path, stored: int, random: np.random.Generator) -> U64:
    """Fill an index in `folder` and make a checkpoint; return some of its hashes."""
    index = IdentityIndex.open(folder, "bench")
    sample = []
    for _ in range(0, stored, BLOCK_EVENTS_MAX):
        rows = _block(index.covered_position + 1, np.empty(0, dtype=np.uint64), random)
        index.add(rows.identities, rows.contents, rows.locators, index.covered_position + 1, bytes(32))
        sample.append(rows.identities[:DUPLICATES_PER_BLOCK])
    index.checkpoint()
    index.close()
    return np.concatenate(sample)


def _block(position: int, repeated: U64, random: np.random.Generator) -> ReceivedRows:
    fresh = random.integers(0, 1 << 64, BLOCK_EVENTS_MAX - len(repeated), dtype=np.uint64)
    identities = random.permutation(np.concatenate((fresh, repeated)))
    count = len(identities)
    return ReceivedRows(
        identities=identities,
        contents=identities ^ np.uint64(SEED),
        locators=np.arange(count, dtype=np.uint64) + np.uint64(position << LOCATOR_ROW_BITS),
        accepted=np.ones(count, dtype=np.bool_),
        groups=np.full(count, NO_GROUP),
        atomic=np.zeros(count, dtype=np.bool_),
    )


def _fold_block(index: IdentityIndex, rows: ReceivedRows) -> tuple[float, float, float]:
    started = time.perf_counter()
    prior = index.lookup(rows.identities)
    looked_up = time.perf_counter()
    counted = resolve(rows, prior, _never_asked, _never_asked).counted
    resolved = time.perf_counter()
    position = index.covered_position + 1
    index.add(rows.identities[counted], rows.contents[counted], rows.locators[counted], position, bytes(32))
    return looked_up - started, resolved - looked_up, time.perf_counter() - resolved


def _never_asked(rows: Rows, others: U64 | Rows) -> Mask:
    raise AssertionError("equal hashes here have equal contents")


if __name__ == "__main__":
    main(tuple(int(count) for count in sys.argv[1:]) or STORED)
