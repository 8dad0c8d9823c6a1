"""The first admin key: generated once, or given; a given one ends the one that it replaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from consumers.errors import FolderUnusable, SettingsInvalid
from domain.api_keys.commands import IssueApiKey, RevokeApiKey
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE, Scope
from tests.engine_fixtures import SettableClock, engine_on

ONE, OTHER, THIRD = (f"sk-the-{name}-of-three-keys" for name in ("first", "second", "third"))


def valid_after_start(folder: Path, given: str | None, *asked: str) -> list[bool]:
    """Whether each of these keys is valid once an engine has started with the given one."""
    with started(folder, given) as engine:
        return [engine.authenticate(secret) is not None for secret in asked]


def started(folder: Path, given: str | None) -> Any:
    return engine_on(folder, SettableClock(), **({} if given is None else {"admin_key": given}))


def kept(folder: Path) -> str:
    return (folder / "admin.key").read_text().strip()


def issued(engine: EmbeddedEngine, scope: Scope, kind: str, secret: str) -> str:
    made = engine.commands.handle(IssueApiKey(scope, Provenance("test"), (kind,), "another", secret))
    assert made.position is not None
    assert engine.wait_folded(made.position, 60)
    return made.state.key_id


def test_a_given_key_ends_the_generated_one(tmp_path: Path) -> None:
    with started(tmp_path, None) as engine:
        assert engine.generated_first_key
    generated = kept(tmp_path)
    assert valid_after_start(tmp_path, ONE, ONE, generated) == [True, False]
    assert kept(tmp_path) == ONE


def test_a_changed_key_ends_the_one_before_and_no_other(tmp_path: Path) -> None:
    with started(tmp_path, ONE) as engine:
        issued(engine, DEFAULT_SCOPE, "admin", THIRD)
    assert valid_after_start(tmp_path, OTHER, ONE, OTHER, THIRD) == [False, True, True]
    assert valid_after_start(tmp_path, OTHER, ONE, OTHER, THIRD) == [False, True, True]
    assert valid_after_start(tmp_path, None, OTHER, THIRD) == [True, True]


def test_a_changed_key_ends_the_one_before_although_the_file_is_gone(tmp_path: Path) -> None:
    assert valid_after_start(tmp_path, ONE, ONE) == [True]
    (tmp_path / "admin.key").unlink()
    assert valid_after_start(tmp_path, OTHER, ONE, OTHER) == [False, True]


def test_an_end_before_the_file_is_written_is_made_good_by_the_next_start(tmp_path: Path) -> None:
    assert valid_after_start(tmp_path, ONE, ONE) == [True]
    with started(tmp_path, None) as engine:
        issued(engine, DEFAULT_SCOPE, "admin", OTHER)
    assert valid_after_start(tmp_path, OTHER, ONE, OTHER) == [False, True]
    assert kept(tmp_path) == OTHER


def test_a_key_that_was_replaced_cannot_come_back(tmp_path: Path) -> None:
    valid_after_start(tmp_path, ONE)
    valid_after_start(tmp_path, OTHER)
    with pytest.raises(SettingsInvalid, match=r"^METERFOLD_ADMIN_KEY: this key was revoked"), started(tmp_path, ONE):
        pass
    assert valid_after_start(tmp_path, OTHER, ONE, OTHER) == [False, True]


@pytest.mark.parametrize(
    ("scope", "kind", "held"),
    [(DEFAULT_SCOPE, "read", "default/prod with read"), (Scope("acme", "prod"), "admin", "acme/prod with admin")],
)
def test_a_key_of_other_rights_is_refused_and_the_one_before_stays(
    tmp_path: Path, scope: Scope, kind: str, held: str
) -> None:
    with started(tmp_path, ONE) as engine:
        issued(engine, scope, kind, OTHER)
    with pytest.raises(SettingsInvalid, match=f"this is a key of {held}"), started(tmp_path, OTHER):
        pass
    assert valid_after_start(tmp_path, ONE, ONE, OTHER) == [True, True]


def test_a_revoked_key_that_was_kept_is_replaced_by_a_new_one(tmp_path: Path) -> None:
    with started(tmp_path, None) as engine:
        record = engine.authenticate(kept(tmp_path))
        assert record is not None
        before = kept(tmp_path)
        engine.commands.handle(RevokeApiKey(DEFAULT_SCOPE, Provenance("test"), record.key_id))
    with started(tmp_path, None) as engine:
        assert engine.generated_first_key
        assert (engine.authenticate(before), kept(tmp_path) == before) == (None, False)


def test_a_file_that_holds_no_key_is_named(tmp_path: Path) -> None:
    tmp_path.joinpath("admin.key").write_text("hunter2\n")
    with (
        pytest.raises(FolderUnusable, match=r"admin\.key must start with 'sk-'.*remove the file"),
        started(tmp_path, None),
    ):
        pass
