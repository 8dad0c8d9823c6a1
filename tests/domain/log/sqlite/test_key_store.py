"""Keys of personal data are durable and private, and a destroyed one is gone for ever."""

from __future__ import annotations

import multiprocessing
import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from domain.errors import LogCorrupted, LogUnavailable, PersonalKeyMissing
from domain.log.sqlite.key_store import SQLiteKeyStore
from tests.fakes.randomness import CountedRandomness


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.sqlite"


def test_a_key_is_made_once_and_found_again_by_another_opening(path: Path) -> None:
    store = SQLiteKeyStore(path, CountedRandomness())
    assert store.key_for("a:1") is None

    key = store.create("a:1")

    assert len(key) == 32
    assert store.create("a:1") == key
    assert store.create("a:2") != key
    store.close()
    again = SQLiteKeyStore(path, CountedRandomness("other"))
    assert again.key_for("a:1") == key
    again.close()


def test_keys_made_together_are_all_there_or_none(path: Path) -> None:
    store, other = SQLiteKeyStore(path, CountedRandomness()), SQLiteKeyStore(path, CountedRandomness("other"))
    with store.together():
        keys = [store.create(f"a:{number}") for number in range(3)]
        assert store.key_for("a:0") == keys[0]
        assert other.key_for("a:0") is None
    assert [other.key_for(f"a:{number}") for number in range(3)] == keys

    with suppress(ZeroDivisionError), store.together():
        store.create("b:1")
        raise ZeroDivisionError
    assert (store.key_for("b:1"), other.key_for("b:1")) == (None, None)
    assert other.create("b:1") == store.create("b:1")
    store.close()
    other.close()


def test_a_destroyed_key_never_comes_back(path: Path) -> None:
    store = SQLiteKeyStore(path, CountedRandomness())
    store.create("a:1")

    store.destroy("a:1")
    store.destroy("a:1")
    store.destroy("never made")

    for key_id in ("a:1", "never made"):
        assert store.key_for(key_id) is None
        with pytest.raises(PersonalKeyMissing, match="cannot be made again"):
            store.create(key_id)
    store.close()


def test_no_byte_of_a_destroyed_key_is_left_in_any_file(path: Path) -> None:
    store = SQLiteKeyStore(path, CountedRandomness())
    keys = {f"customer {number}:1": store.create(f"customer {number}:1") for number in range(300)}

    def found() -> set[str]:
        bytes_of_files = [file.read_bytes() for file in path.parent.iterdir()]
        return {key_id for key_id, key in keys.items() if any(key in each for each in bytes_of_files)}

    assert found() == set(keys)
    destroyed = {key_id for index, key_id in enumerate(keys) if index % 3}
    for key_id in destroyed:
        store.destroy(key_id)

    assert found() == set(keys) - destroyed
    store.close()


def test_the_file_is_readable_by_its_owner_only(path: Path) -> None:
    before = os.umask(0)
    try:
        path.touch(0o666)
        SQLiteKeyStore(path, CountedRandomness()).close()
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_threads_that_make_the_same_key_agree_on_it(path: Path) -> None:
    store = SQLiteKeyStore(path, CountedRandomness())
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(store.create, ["same"] * 32))

    assert keys == {store.key_for("same")}
    store.close()


def _make_key(path: Path, seed: str) -> bytes:
    store = SQLiteKeyStore(path, CountedRandomness(seed))
    key = store.create("same")
    store.close()
    return key


def test_processes_that_make_the_same_key_agree_on_it(path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        keys = set(pool.starmap(_make_key, [(path, str(seed)) for seed in range(8)]))

    assert len(keys) == 1


def test_a_store_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match=r"keys\.sqlite"):
        SQLiteKeyStore(tmp_path / "absent" / "keys.sqlite", CountedRandomness())
    (tmp_path / "text").write_text("this is a text file, not a database" * 100)
    with pytest.raises(LogCorrupted, match="restore it from a backup"):
        SQLiteKeyStore(tmp_path / "text", CountedRandomness())


def test_transactions_that_read_and_make_keys_at_the_same_time_wait_for_each_other(path: Path) -> None:
    """If both held a read lock, neither could get the write lock."""
    SQLiteKeyStore(path, os.urandom).close()
    begun, refused = threading.Barrier(2), list[Exception]()

    def make(names: list[str]) -> None:
        keys = SQLiteKeyStore(path, os.urandom)
        try:
            begun.wait(10)
            for name in names:
                with keys.together():
                    keys.key_for("somebody's")
                    time.sleep(0.02)
                    keys.create(name)
        except Exception as error:
            refused.append(error)
        finally:
            keys.close()

    wanted = [[f"{maker}-{number}" for number in range(10)] for maker in range(2)]
    makers = [threading.Thread(target=make, args=(names,)) for names in wanted]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert refused == []
    keys = SQLiteKeyStore(path, os.urandom)
    assert all(keys.key_for(name) is not None for names in wanted for name in names)
    keys.close()
