"""The identity index answers like a dictionary of lists, also after restarts, and detects damaged files."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.log.chain import CHAIN_START
from domain.usage.locators import locator_of
from projections.errors import IdentityIndexCorrupted
from projections.identity.entries import ENTRY_BYTES, U64, sorted_entries
from projections.identity.index import IdentityIndex
from projections.identity.manifest import MANIFEST_NAME, discard_index
from projections.identity.runs import merged_chunks

LOG = "log-1"
HASHES = 12
ENDLESS_BYTES = 1 << 40
Claimed = tuple[int, int]  # hash, digest


def u64(values: list[int]) -> U64:
    return np.array(values, dtype=np.uint64)


def chain_at(position: int) -> bytes:
    return position.to_bytes(32, "big")


def add(index: IdentityIndex, position: int, claims: list[Claimed]) -> None:
    locators = [locator_of(position, row) for row in range(len(claims))]
    hashes, digests = u64([claim[0] for claim in claims]), u64([claim[1] for claim in claims])
    index.add(hashes, digests, u64(locators), position, chain_at(position))


def entries_under(index: IdentityIndex, hashes: range) -> dict[int, list[tuple[int, int]]]:
    prior = index.lookup(u64(list(hashes)))
    return {hashes[row]: prior.of_row(row) for row in sorted(set(prior.rows.tolist()))}


def index_with_runs(folder: Path, runs: int) -> IdentityIndex:
    index = IdentityIndex.open(folder, LOG)
    for position in range(1, runs + 1):
        add(index, position, [(position, 0), (0, position)])
        index.checkpoint()
    return index


def run_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.run"))


class IndexAgainstAModel(RuleBasedStateMachine):
    """The model is a list of all entries by position; a restart drops those after the last checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.added: list[tuple[int, list[Claimed]]] = []
        self.checkpointed = 0
        self.open_again()

    def open_again(self) -> None:
        self.index = IdentityIndex.open(self.folder, LOG, filter_bytes_max=64, memory_entries_max=20)

    def teardown(self) -> None:
        self.index.close()
        shutil.rmtree(self.folder)

    @property
    def last_position(self) -> int:
        return self.added[-1][0] if self.added else 0

    @rule(
        claims=st.lists(st.tuples(st.integers(0, HASHES - 1), st.integers(0, 2)), max_size=12),
        skipped=st.integers(0, 2),
    )
    def add_claims(self, claims: list[Claimed], skipped: int) -> None:
        position = self.last_position + 1 + skipped
        add(self.index, position, claims)
        self.added.append((position, claims))

    @rule()
    def make_a_checkpoint(self) -> None:
        self.index.checkpoint()
        self.checkpointed = self.last_position

    @rule(budget=st.sampled_from((0, 30 * ENTRY_BYTES, ENDLESS_BYTES)))
    def merge(self, budget: int) -> None:
        runs = self.index.run_count
        merged_bytes = self.index.merge_runs(budget)
        assert merged_bytes <= budget
        assert (self.index.run_count < runs) == (merged_bytes > 0)

    @precondition(lambda self: self.added)
    @rule()
    def restart(self) -> None:
        self.index.close()
        self.open_again()
        covered = self.index.covered_position
        assert self.checkpointed <= covered <= self.last_position
        self.added = [step for step in self.added if step[0] <= covered]
        self.checkpointed = covered

    @invariant()
    def answers_are_those_of_the_model(self) -> None:
        expected: dict[int, list[tuple[int, int]]] = {}
        for position, claims in self.added:
            for row, (hash_, digest) in enumerate(claims):
                expected.setdefault(hash_, []).append((digest, locator_of(position, row)))
        assert entries_under(self.index, range(HASHES + 2)) == expected

    @invariant()
    def the_covered_position_is_that_of_the_last_add(self) -> None:
        expected = chain_at(self.last_position) if self.added else CHAIN_START
        assert (self.index.covered_position, self.index.running_hash) == (self.last_position, expected)


IndexAgainstAModel.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestTheIndexAnswersLikeADictionaryOfLists = IndexAgainstAModel.TestCase


def test_a_lookup_says_which_hashes_were_found_and_the_first_claim_of_each(tmp_path: Path) -> None:
    index = IdentityIndex.open(tmp_path, LOG)
    add(index, 1, [(7, 70), (8, 80)])
    index.checkpoint()
    add(index, 2, [(7, 71)])
    prior = index.lookup(u64([9, 7, 8, 7]))
    assert prior.found(4).tolist() == [False, True, True, True]
    sevens = [(70, locator_of(1, 0)), (71, locator_of(2, 0))]
    assert [prior.of_row(row) for row in range(4)] == [[], sevens, [(80, locator_of(1, 1))], sevens]


def test_a_checkpoint_covers_exactly_what_was_added(tmp_path: Path) -> None:
    index = IdentityIndex.open(tmp_path, LOG)
    add(index, 3, [(1, 1)])
    index.checkpoint()
    add(index, 4, [(2, 2)])
    again = IdentityIndex.open(tmp_path, LOG)
    assert (again.covered_position, again.running_hash) == (3, chain_at(3))
    assert entries_under(again, range(HASHES)) == {1: [(1, locator_of(3, 0))]}


def test_a_checkpoint_without_new_claims_still_moves_the_covered_position(tmp_path: Path) -> None:
    index = IdentityIndex.open(tmp_path, LOG)
    add(index, 9, [])
    index.checkpoint()
    assert (IdentityIndex.open(tmp_path, LOG).covered_position, run_files(tmp_path)) == (9, [])


def test_a_claim_behind_the_committed_position_is_refused(tmp_path: Path) -> None:
    index = IdentityIndex.open(tmp_path, LOG)
    with pytest.raises(ValueError, match="points behind position 4"):
        index.add(u64([1]), u64([1]), u64([locator_of(5, 0)]), 4, chain_at(4))
    assert (index.covered_position, index.count) == (0, 0)


def test_a_position_that_is_covered_is_not_added_twice(tmp_path: Path) -> None:
    index = IdentityIndex.open(tmp_path, LOG)
    add(index, 4, [(1, 1)])
    with pytest.raises(ValueError, match="already covered"):
        add(index, 4, [(1, 1)])
    assert index.count == 1


def test_an_index_is_full_from_its_bound_on_until_a_checkpoint(tmp_path: Path) -> None:
    index = IdentityIndex.open(tmp_path, LOG, memory_entries_max=6)
    add(index, 1, [(1, 0), (1, 1), (1, 2)])
    assert not index.is_full()
    add(index, 2, [(2, 0), (2, 1), (2, 2)])
    assert index.is_full()
    assert not index.is_full(2)
    assert index.checkpoint()
    assert not index.is_full()
    add(index, 3, [(3, 0), (3, 1), (3, 2), (3, 3), (3, 4), (3, 5)])
    assert index.is_full()
    index.close()
    assert not index.is_full()


def test_nothing_is_written_before_the_store_is_durable_nor_what_came_meanwhile(tmp_path: Path) -> None:
    index = IdentityIndex.open(tmp_path, LOG)
    add(index, 1, [(1, 0)])

    def never() -> bool:
        assert run_files(tmp_path) == []
        return False

    def at_last() -> bool:
        assert run_files(tmp_path) == []
        add(index, 2, [(2, 0)])
        return True

    assert not index.checkpoint(never)
    assert run_files(tmp_path) == []
    assert index.checkpoint(at_last)
    assert (index.covered_position, index.count) == (2, 2)
    again = IdentityIndex.open(tmp_path, LOG)
    assert (again.covered_position, again.count, again.run_count) == (1, 1, 1)


def test_a_crash_between_a_run_and_the_manifest_leaves_the_index_at_the_checkpoint_before(tmp_path: Path) -> None:
    index = index_with_runs(tmp_path, 1)
    before = entries_under(index, range(HASHES))
    add(index, 2, [(5, 5)])
    in_the_way = tmp_path / (MANIFEST_NAME + ".tmp")
    in_the_way.mkdir()
    with pytest.raises(IsADirectoryError):
        index.checkpoint()
    in_the_way.rmdir()
    assert len(run_files(tmp_path)) == 2
    again = IdentityIndex.open(tmp_path, LOG)
    assert (again.covered_position, entries_under(again, range(HASHES))) == (1, before)
    assert len(run_files(tmp_path)) == 1


def test_after_a_failed_checkpoint_nothing_is_forgotten_and_the_next_one_succeeds(tmp_path: Path) -> None:
    index = index_with_runs(tmp_path, 1)
    add(index, 2, [(5, 5)])
    in_the_way = tmp_path / (MANIFEST_NAME + ".tmp")
    in_the_way.mkdir()
    with pytest.raises(IsADirectoryError):
        index.checkpoint()
    in_the_way.rmdir()
    add(index, 3, [(5, 6)])
    expected = entries_under(index, range(HASHES))
    assert expected[5] == [(5, locator_of(2, 0)), (6, locator_of(3, 0))]
    index.checkpoint()
    again = IdentityIndex.open(tmp_path, LOG)
    assert (again.covered_position, entries_under(again, range(HASHES))) == (3, expected)


def test_a_crash_in_a_merge_leaves_the_runs_that_were(tmp_path: Path) -> None:
    index = index_with_runs(tmp_path, 4)
    expected = entries_under(index, range(HASHES))
    in_the_way = tmp_path / (MANIFEST_NAME + ".tmp")
    in_the_way.mkdir()
    with pytest.raises(IsADirectoryError):
        index.merge_runs(ENDLESS_BYTES)
    in_the_way.rmdir()
    assert entries_under(index, range(HASHES)) == expected
    again = IdentityIndex.open(tmp_path, LOG)
    assert (again.run_count, entries_under(again, range(HASHES))) == (4, expected)


def test_a_crash_after_a_merge_leaves_no_claim_twice(tmp_path: Path) -> None:
    folder, kept = tmp_path / "index", tmp_path / "kept"
    index = index_with_runs(folder, 4)
    expected = entries_under(index, range(HASHES))
    shutil.copytree(folder, kept)
    assert index.merge_runs(ENDLESS_BYTES) == 8 * ENTRY_BYTES
    for old in run_files(kept):
        shutil.copy(old, folder)
    assert len(run_files(folder)) == 5
    again = IdentityIndex.open(folder, LOG)
    assert (again.covered_position, again.run_count, entries_under(again, range(HASHES))) == (4, 1, expected)
    assert len(run_files(folder)) == 1


def flip(path: Path, offset: int) -> None:
    stored = bytearray(path.read_bytes())
    stored[offset] ^= 1
    path.write_bytes(bytes(stored))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda run, manifest: flip(run, 0), "header"),
        (lambda run, manifest: flip(run, 40), "header"),
        (lambda run, manifest: flip(run, 4096), "checksum of its hashes"),
        (lambda run, manifest: flip(run, 4096 + 16), "checksum of its digests"),
        (lambda run, manifest: flip(run, -1), "checksum of its locators"),
        (lambda run, manifest: cut_short(run), "bytes"),
        (lambda run, manifest: run.write_bytes(b""), "0 bytes"),
        (lambda run, manifest: run.unlink(), "missing"),
        (lambda run, manifest: flip(manifest, 5), "checksum"),
        (lambda run, manifest: cut_short(manifest), "checksum"),
        (lambda run, manifest: manifest.write_bytes(b""), "checksum"),
    ],
)
def test_a_damaged_file_is_found_at_the_start(
    tmp_path: Path, damage: Callable[[Path, Path], object], problem: str
) -> None:
    index_with_runs(tmp_path, 1).close()
    damage(run_files(tmp_path)[0], tmp_path / MANIFEST_NAME)
    with pytest.raises(IdentityIndexCorrupted, match=f"{problem}.*'meterfold replay'"):
        IdentityIndex.open(tmp_path, LOG)


def test_an_index_of_another_log_is_refused(tmp_path: Path) -> None:
    index_with_runs(tmp_path, 1).close()
    with pytest.raises(IdentityIndexCorrupted, match="belongs to the log 'log-1', not to 'log-2'"):
        IdentityIndex.open(tmp_path, "log-2")


def test_a_run_of_another_index_is_refused(tmp_path: Path) -> None:
    index_with_runs(tmp_path / "a", 1).close()
    other = IdentityIndex.open(tmp_path / "b", LOG)
    add(other, 1, [(3, 3), (4, 4)])
    other.checkpoint()
    shutil.copy(run_files(tmp_path / "b")[0], run_files(tmp_path / "a")[0])
    with pytest.raises(IdentityIndexCorrupted, match="header"):
        IdentityIndex.open(tmp_path / "a", LOG)


def test_a_discarded_index_opens_empty(tmp_path: Path) -> None:
    index_with_runs(tmp_path, 2).close()
    flip(tmp_path / MANIFEST_NAME, 5)
    discard_index(tmp_path)
    index = IdentityIndex.open(tmp_path, LOG)
    assert (index.covered_position, index.running_hash, index.count) == (0, CHAIN_START, 0)


def test_a_closed_index_raises_instead_of_finding_nothing(tmp_path: Path) -> None:
    index = index_with_runs(tmp_path, 1)
    index.close()
    with pytest.raises(ValueError, match="closed"):
        index.lookup(u64([1]))


def test_merging_whenever_it_is_worthwhile_keeps_the_runs_few(tmp_path: Path) -> None:
    index = IdentityIndex.open(tmp_path, LOG)
    for position in range(1, 65):
        add(index, position, [(position, 0)])
        index.checkpoint()
        while index.merge_runs(ENDLESS_BYTES):
            pass
    assert index.run_count <= 7
    assert len(run_files(tmp_path)) == index.run_count
    assert entries_under(index, range(1, 65)) == {n: [(0, locator_of(n, 0))] for n in range(1, 65)}


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=30), min_size=1, max_size=4), st.integers(1, 40))
def test_merging_in_chunks_equals_sorting_everything(parts: list[list[int]], chunk_entries: int) -> None:
    numbered = [[(hash_, part * 100 + row) for row, hash_ in enumerate(hashes)] for part, hashes in enumerate(parts)]
    entries = [sorted_entries(*(u64([p[i] for p in part]) for i in (0, 1, 1))) for part in numbered]
    chunks = list(merged_chunks(entries, chunk_entries))
    merged = [pair for chunk in chunks for pair in zip(chunk.hashes.tolist(), chunk.digests.tolist(), strict=True)]
    assert [hash_ for hash_, _ in merged] == sorted(hash_ for part in parts for hash_ in part)
    assert sorted(merged) == sorted(pair for part in numbered for pair in part)


def test_a_stretched_filter_is_rebuilt_with_room_to_spare(tmp_path: Path) -> None:
    index = IdentityIndex.open(tmp_path, LOG)
    hashes = np.random.default_rng(3).integers(0, 1 << 64, 1_000_000, dtype=np.uint64)
    index.add(hashes, hashes, np.arange(len(hashes), dtype=np.uint64), 100, chain_at(100))
    assert index.filter_bytes == 2 << 20
    assert index.merge_runs(0) == 0
    assert index.filter_bytes == 4 << 20
    assert index.lookup(hashes).found(len(hashes)).all()


def test_lookups_find_everything_while_checkpoints_and_merges_go_on_in_another_thread(tmp_path: Path) -> None:
    index = IdentityIndex.open(tmp_path, LOG, memory_entries_max=100_000)
    random = np.random.default_rng(4)
    finished = threading.Event()
    failures: list[BaseException] = []

    def checkpoint_and_merge() -> None:
        try:
            while not finished.is_set():
                index.checkpoint()
                index.merge_runs(ENDLESS_BYTES)
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=checkpoint_and_merge)
    thread.start()
    added: list[U64] = []
    missed = 0
    for position in range(1, 61):
        hashes = random.integers(0, 1 << 64, 20_000, dtype=np.uint64)
        locators = np.arange(len(hashes), dtype=np.uint64) + np.uint64(locator_of(position, 0))
        index.add(hashes, hashes, locators, position, chain_at(position))
        added.append(hashes)
        asked = random.choice(np.concatenate(added), 2_000)
        missed += int((~index.lookup(asked).found(len(asked))).sum())
    finished.set()
    thread.join()
    index.checkpoint()
    again = IdentityIndex.open(tmp_path, LOG)
    everything = np.concatenate(added)
    assert (failures, missed, again.count) == ([], 0, len(everything))
    assert again.lookup(everything).found(len(everything)).all()
