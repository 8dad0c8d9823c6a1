"""A data folder has one owner, and its small files are there as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers.embedded.data_folder import DataFolder
from consumers.errors import FolderOwned, FolderUnusable


def prepared(root: Path) -> DataFolder:
    folder = DataFolder(root)
    folder.prepare()
    return folder


def test_only_one_engine_owns_a_folder_and_the_second_learns_where_it_listens(tmp_path: Path) -> None:
    first, second = prepared(tmp_path), prepared(tmp_path)
    first.acquire()
    first.announce("http://127.0.0.1:9")
    with pytest.raises(FolderOwned) as refused:
        second.acquire()
    assert refused.value.owner is not None
    assert refused.value.owner["url"] == "http://127.0.0.1:9"
    assert second.is_owned()
    first.release()
    assert not second.is_owned()
    second.acquire()
    second.release()


def test_a_file_in_the_place_of_the_folder_is_refused_by_name(tmp_path: Path) -> None:
    taken = tmp_path / "data"
    taken.write_text("something else")
    with pytest.raises(FolderUnusable, match="data"):
        DataFolder(taken).prepare()


def test_the_first_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    assert folder.first_key() is None
    folder.save_first_key("sk-secret")
    assert folder.first_key() == "sk-secret"
    assert folder.admin_key.stat().st_mode & 0o777 == 0o600


def test_a_read_store_comes_into_use_in_one_move_and_leftovers_but_one_of_a_replay_are_removed(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    first = folder.current_read_folder()
    (first / "store.duckdb").write_text("first")
    second = folder.new_read_folder()
    (second / "store.duckdb").write_text("second")
    assert folder.current_read_folder() == first
    left = [folder.new_verification_folder(), tmp_path / "read" / "0007"]
    left[1].mkdir()
    folder.remove_unused_read_folders()
    assert [path.exists() for path in (first, second, *left)] == [True, True, False, False]
    folder.use_read_folder(second)
    assert folder.current_read_folder() == second
    assert not first.exists()


def test_what_is_known_of_operations_survives_and_a_damaged_file_is_as_none(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    assert folder.operations() == {}
    folder.save_operations({"a": 1})
    assert DataFolder(tmp_path).operations() == {"a": 1}
    (tmp_path / "operations.json").write_text("{")
    assert folder.operations() == {}
