"""The identity index: which event claimed each identity first, and with which content.

It is a log-structured merge index. New entries go into memory as sorted columns that are merged by size; a checkpoint
writes them as a run; merging in the background keeps the runs few. A Bloom filter answers for most new identities.

Entries are added only after the read store has committed them, and written only once it has made them durable, so the
index is never ahead of it. After a restart the entries between `covered_position` and the position of the read store
are added again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from domain.usage.locators import position_of
from projections.identity.entries import NO_PRIOR_CLAIMS, U64, Entries, PriorClaims, claims_in, merged, sorted_entries
from projections.identity.filter import FILTER_BYTES_MAX, IdentityFilter, filter_bytes_for
from projections.identity.manifest import (
    MANIFEST_FORMAT,
    Manifest,
    read_manifest,
    remove_orphaned_files,
    run_path,
    write_manifest,
)
from projections.identity.runs import Run, merged_chunks, read_run, write_run

#: 48 MB. With more the index is full: a checkpoint is due.
MEMORY_ENTRIES_MAX: Final = 2_000_000
#: A level with fewer than this many times the entries of the next one is merged with it.
_LEVEL_RATIO: Final = 2
#: A run joins a merge if it has at most this many times the entries of all smaller runs in it together.
_RUN_RATIO: Final = 2


class _Covered(NamedTuple):
    position: int
    running_hash: bytes


class _Parts(NamedTuple):
    """Everything that a lookup reads; replaced as a whole, so that a lookup in another thread sees one state."""

    filter: IdentityFilter
    runs: tuple[Run, ...]
    frozen: tuple[Entries, ...]  # being written by a checkpoint
    levels: tuple[Entries, ...]  # in memory, each much smaller than the one before

    def searched(self) -> tuple[Entries, ...]:
        return (*(run.entries for run in self.runs), *self.frozen, *self.levels)


class IdentityIndex:
    """An index made by `open`. One thread adds; lookups, checkpoints and merges may run in other threads."""

    def __init__(self, folder: Path, manifest: Manifest, parts: _Parts, bounds: tuple[int, int]) -> None:
        self._folder = folder
        self._log_id = manifest.log_id
        self._covered = self._durable = _Covered(manifest.covered_position, manifest.running_hash)
        self._run_number_next = manifest.run_number_next
        self._parts: _Parts | None = parts
        self._filter_bytes_max, self._memory_entries_max = bounds
        self._added_during_rebuild: list[U64] | None = None
        self._state_lock = threading.Lock()  # held briefly, to replace the attributes above
        self._checkpoint_lock = threading.Lock()  # held while a run is written
        self._merge_lock = threading.Lock()  # held while runs are merged

    @classmethod
    def open(
        cls,
        folder: Path,
        log_id: str,
        *,
        filter_bytes_max: int = FILTER_BYTES_MAX,
        memory_entries_max: int = MEMORY_ENTRIES_MAX,
    ) -> IdentityIndex:
        """Open the index of the log with this id in `folder`, created if absent, and verify every byte of its runs.

        Raises `IdentityIndexCorrupted` if a file is damaged, missing or of another log. Only one process may have an
        index open.
        """
        folder.mkdir(parents=True, exist_ok=True)
        manifest = read_manifest(folder, log_id)
        remove_orphaned_files(folder, manifest)
        runs = tuple(read_run(run_path(folder, number), header) for number, header in manifest.runs)
        count = sum(run.header.count for run in runs)
        fresh = _filled_filter(filter_bytes_for(2 * count, filter_bytes_max), (run.entries.hashes for run in runs))
        return cls(folder, manifest, _Parts(fresh, runs, (), ()), (filter_bytes_max, memory_entries_max))

    @property
    def covered_position(self) -> int:
        """The log position up to which the index has every claim; after `open`, that of the last checkpoint."""
        return self._covered.position

    @property
    def running_hash(self) -> bytes:
        """The log's running hash at `covered_position`."""
        return self._covered.running_hash

    @property
    def count(self) -> int:
        """The number of entries."""
        return sum(part.length for part in self._opened().searched())

    @property
    def run_count(self) -> int:
        """The number of runs on disk."""
        return len(self._opened().runs)

    @property
    def filter_bytes(self) -> int:
        """The memory used by the filter."""
        return self._opened().filter.bytes

    def lookup(self, hashes: U64) -> PriorClaims:
        """Find every entry of each of `hashes` (any order, repeats allowed); rows of the result index `hashes`."""
        parts = self._opened()
        rows = np.flatnonzero(parts.filter.may_contain(hashes))
        if not len(rows):
            return NO_PRIOR_CLAIMS
        # Searches in ascending order are three times as fast, because neighbours read the same pages.
        rows = rows[np.argsort(hashes[rows])]
        return claims_in(parts.searched(), hashes[rows], rows)

    def add(self, hashes: U64, digests: U64, locators: U64, up_to_position: int, running_hash: bytes) -> None:
        """Add the claims that the read store has just committed up to `up_to_position`; the arrays may be empty.

        Call it only after that commit. Raises `ValueError` if the position is already covered or a locator points
        behind it.
        """
        added = sorted_entries(hashes, digests, locators)
        with self._state_lock:
            parts = self._opened()
            self._refuse_bad_positions(locators, up_to_position)
            if added.length:
                self._parts = self._with_entries(parts, added)
            self._covered = _Covered(up_to_position, running_hash)

    def is_full(self, factor: int = 1) -> bool:
        """Return whether so many entries are in memory, times `factor`, that a checkpoint is due; never once closed."""
        parts = self._parts
        return parts is not None and sum(level.length for level in parts.levels) >= factor * self._memory_entries_max

    def checkpoint(self, make_store_durable: Callable[[], bool] = lambda: True) -> bool:
        """Write the entries in memory as a run, which makes them durable with the position of the last `add`.

        `make_store_durable` is called before anything is written: when it returns true, the read store is durable up
        to that position at least. Returns false, with the index unchanged, when it returns false. After an error too
        the index is unchanged and its entries stay in memory.
        """
        with self._checkpoint_lock:
            frozen, covered = self._freeze()
            try:
                if not make_store_durable():
                    self._thaw()
                    return False
                run = self._write_run(frozen, covered) if frozen else None
                with self._state_lock:
                    parts = self._opened()
                    runs = parts.runs if run is None else (*parts.runs, run)
                    self._publish(runs, covered)
                    self._parts = parts._replace(runs=runs, frozen=())
            except BaseException:
                self._thaw()
                raise
            return True

    def merge_runs(self, budget_bytes: int) -> int:
        """Merge as many runs of similar size as fit `budget_bytes` once; return the bytes merged.

        0 means that no merge within the budget is worthwhile. A filter that was stretched is rebuilt as well.
        """
        with self._merge_lock:
            chosen = runs_worth_merging(self._opened().runs, budget_bytes)
            if chosen:
                self._replace_runs(chosen)
            self._rebuild_filter_if_stretched()
        return sum(run.bytes for run in chosen)

    def close(self) -> None:
        """Close the index without a checkpoint: entries since the last one must be added again after `open`."""
        with self._merge_lock, self._checkpoint_lock, self._state_lock:
            self._parts = None

    def _opened(self) -> _Parts:
        if self._parts is None:
            raise ValueError("the identity index is closed")
        return self._parts

    def _refuse_bad_positions(self, locators: U64, up_to_position: int) -> None:
        if up_to_position <= self._covered.position:
            raise ValueError(f"position {up_to_position} is already covered (up to {self._covered.position})")
        if len(locators) and position_of(int(locators.max())) > up_to_position:
            raise ValueError(f"a locator points behind position {up_to_position}")

    def _with_entries(self, parts: _Parts, added: Entries) -> _Parts:
        count = added.length + sum(part.length for part in parts.searched())
        known = parts.filter
        while count > known.entries_max and known.bytes * 2 <= self._filter_bytes_max:
            known = known.doubled()
        known.add_ascending(added.hashes)
        noted = self._added_during_rebuild
        if noted is not None:
            noted.append(added.hashes)
        levels = [*parts.levels, added]
        while len(levels) > 1 and levels[-2].length < _LEVEL_RATIO * levels[-1].length:
            levels[-2:] = [merged(levels[-2:])]
        return parts._replace(filter=known, levels=tuple(levels))

    def _freeze(self) -> tuple[tuple[Entries, ...], _Covered]:
        with self._state_lock:
            parts = self._opened()
            self._parts = parts._replace(frozen=parts.levels, levels=())
            return parts.levels, self._covered

    def _thaw(self) -> None:
        with self._state_lock:
            if self._parts is not None:
                self._parts = self._parts._replace(frozen=(), levels=(*self._parts.frozen, *self._parts.levels))

    def _write_run(self, parts: tuple[Entries, ...], covered: _Covered) -> Run:
        with self._state_lock:
            number = self._run_number_next
            self._run_number_next += 1
        count = sum(part.length for part in parts)
        return write_run(run_path(self._folder, number), self._log_id, covered, count, merged_chunks(parts))

    def _publish(self, runs: tuple[Run, ...], durable: _Covered) -> None:
        named = tuple((int(run.path.stem), run.header) for run in runs)
        write_manifest(self._folder, Manifest(MANIFEST_FORMAT, self._log_id, *durable, self._run_number_next, named))
        self._durable = durable

    def _replace_runs(self, chosen: tuple[Run, ...]) -> None:
        newest = max(chosen, key=lambda run: run.header.covered_position).header
        covered = _Covered(newest.covered_position, newest.running_hash)
        run = self._write_run(tuple(old.entries for old in chosen), covered)
        with self._state_lock:
            parts = self._opened()
            kept = tuple(other for other in parts.runs if all(other is not old for old in chosen))
            self._publish((*kept, run), self._durable)
            self._parts = parts._replace(runs=(*kept, run))
        for old in chosen:
            old.path.unlink()

    def _rebuild_filter_if_stretched(self) -> None:
        with self._state_lock:
            parts = self._opened()
            count = sum(part.length for part in parts.searched())
            size = filter_bytes_for(2 * count, self._filter_bytes_max)
            outgrown = count > parts.filter.entries_max and parts.filter.bytes < size
            if not parts.filter.stretched and not outgrown:
                return
            meanwhile = self._added_during_rebuild = []
        try:
            # Filled without the lock, as nobody sees it yet; entries added meanwhile are noted and put in at the end.
            fresh = _filled_filter(size, (part.hashes for part in parts.searched()))
            with self._state_lock:
                for hashes in meanwhile:
                    fresh.add_ascending(hashes)
                self._parts = self._opened()._replace(filter=fresh)
        finally:
            self._added_during_rebuild = None


def runs_worth_merging(runs: tuple[Run, ...], budget_bytes: int) -> tuple[Run, ...]:
    """Choose the most runs (at least two, the smallest ones) of similar size whose bytes fit the budget; or none.

    Similar: each has at most twice the entries of all smaller chosen runs together. So the number of runs, and the
    number of times that an entry is rewritten, grow with the logarithm of the count.
    """
    by_size = sorted(runs, key=lambda run: run.header.count)
    best: tuple[Run, ...] = ()
    for start in range(len(by_size)):
        chosen = [by_size[start]]
        total = by_size[start].bytes
        for run in by_size[start + 1 :]:
            if run.bytes > _RUN_RATIO * total or total + run.bytes > budget_bytes:
                break
            chosen.append(run)
            total += run.bytes
        if len(chosen) > max(1, len(best)):
            best = tuple(chosen)
    return best


def _filled_filter(bytes_: int, columns: Iterable[U64]) -> IdentityFilter:
    fresh = IdentityFilter(bytes_)
    for hashes in columns:
        fresh.add_ascending(hashes)
    return fresh
