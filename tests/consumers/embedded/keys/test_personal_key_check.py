"""A log is not opened without the key store of its personal data, unless that is asked for."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from consumers.bootstrap import open_engine, open_partition_appender, replay_closed
from consumers.embedded.engine import EmbeddedEngine
from consumers.errors import PersonalKeysLost
from consumers.intake.intake import IntakeRequest
from consumers.intake.item_facts import ItemFacts
from consumers.settings import Settings
from domain.customers.commands import CreateCustomer, UpdateCustomer
from domain.customers.event_facts import facts_text
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE
from tests.domain.usage.usage_event_texts import text
from tests.engine_fixtures import SettableClock, engine_on

BY_TEST = Provenance("test")


def created(engine: EmbeddedEngine, customer: str, fields: dict[str, Any]) -> None:
    made = engine.commands.handle(CreateCustomer(DEFAULT_SCOPE, BY_TEST, customer, fields))
    assert made.position is not None
    assert engine.wait_folded(made.position, 60)


def folder_with(path: Path, **names: str | None) -> Path:
    """A closed folder with customers, each with a name or none."""
    with engine_on(path, SettableClock()) as engine:
        for customer, name in names.items():
            created(engine, customer, {} if name is None else {"name": name})
    return path


def copied(folder: Path, to: Path, *names: str) -> Path:
    to.mkdir()
    for name in names:
        shutil.copy(folder / name, to / name)
    return to


def name_of(engine: EmbeddedEngine, customer: str) -> Any:
    with engine.reads.snapshot() as snapshot:
        record = snapshot.customer(DEFAULT_SCOPE, customer)
    assert record is not None
    return record.facts[0].fields.get("name")


def without_keys(folder: Path, clock: SettableClock) -> Any:
    settings = Settings(data_dir=folder, intake_process=False)
    return open_engine(settings, clock=clock, without_personal_keys=True)


def test_a_copy_of_the_log_without_its_key_store_is_refused_and_unchanged(tmp_path: Path) -> None:
    copy = copied(folder_with(tmp_path / "data", plain=None, zoe="Zoe"), tmp_path / "copy", "log.sqlite")
    settings = Settings(data_dir=copy, intake_process=False)
    message = r"keys\.sqlite is missing: .*Restore it from its backup, or .*'meterfold serve --without-personal-keys'"
    with pytest.raises(PersonalKeysLost, match=message), open_engine(settings):
        pass
    with pytest.raises(PersonalKeysLost, match=message), open_partition_appender(settings):
        pass
    with pytest.raises(PersonalKeysLost, match=message):
        list(replay_closed(settings))
    assert not (copy / "keys.sqlite").exists()


def test_with_its_key_store_a_copy_shows_every_name(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "data", zoe="Zoe")
    copy = copied(folder, tmp_path / "copy", "log.sqlite", "keys.sqlite")
    with engine_on(copy, SettableClock()) as engine:
        assert name_of(engine, "zoe") == "Zoe"


def test_who_goes_on_without_it_is_not_asked_again_and_names_new_customers(tmp_path: Path) -> None:
    copy = copied(folder_with(tmp_path / "data", zoe="Zoe"), tmp_path / "copy", "log.sqlite")
    clock = SettableClock()
    with without_keys(copy, clock) as engine:
        assert name_of(engine, "zoe") is None
        created(engine, "new", {"name": "New"})
    with engine_on(copy, clock) as engine:
        assert (name_of(engine, "zoe"), name_of(engine, "new")) == (None, "New")


def test_the_key_store_of_another_log_is_refused(tmp_path: Path) -> None:
    for folder in ("data", "other"):
        folder_with(tmp_path / folder, zoe="Zoe")
    shutil.copy(tmp_path / "other" / "keys.sqlite", tmp_path / "data" / "keys.sqlite")
    with (
        pytest.raises(PersonalKeysLost, match="is the key store of another log"),
        engine_on(tmp_path / "data", SettableClock()),
    ):
        pass


def test_an_empty_key_store_that_an_earlier_release_made_beside_a_copy_is_refused(tmp_path: Path) -> None:
    copy = copied(folder_with(tmp_path / "data", zoe="Zoe"), tmp_path / "copy", "log.sqlite")
    with sqlite3.connect(copy / "keys.sqlite") as made:
        made.execute("CREATE TABLE personal_keys (key_id TEXT PRIMARY KEY, key BLOB) WITHOUT ROWID")
    made.close()
    with (
        pytest.raises(PersonalKeysLost, match="does not hold the keys of the personal data"),
        engine_on(copy, SettableClock()),
    ):
        pass


def test_a_log_without_personal_data_needs_no_key_store(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "data", plain=None)
    with engine_on(folder, SettableClock()) as engine:
        changed = UpdateCustomer(DEFAULT_SCOPE, BY_TEST, "plain", {"currency": "EUR"})
        engine.commands.handle(changed)
    copy = copied(folder, tmp_path / "copy", "log.sqlite")
    with engine_on(copy, SettableClock()) as engine:
        assert name_of(engine, "plain") is None


def test_a_destroyed_key_is_known(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "data", zoe="Zoe")
    with sqlite3.connect(folder / "keys.sqlite") as keys:
        keys.execute("DROP TABLE IF EXISTS key_store_of")
        keys.execute("UPDATE personal_keys SET key = NULL")
    keys.close()
    with engine_on(folder, SettableClock()):
        pass


def test_a_log_whose_only_personal_data_came_with_usage_needs_its_key_store_too(tmp_path: Path) -> None:
    with engine_on(tmp_path / "data", SettableClock()) as engine:
        facts = ItemFacts(facts_text({"name": "Ada"}))
        body, batch = (text(time=None),), "application/cloudevents-batch+json"
        engine.intake.submit(IntakeRequest(DEFAULT_SCOPE, batch, body, facts=(facts,))).result(60)
    copy = copied(tmp_path / "data", tmp_path / "copy", "log.sqlite")
    with pytest.raises(PersonalKeysLost), open_engine(Settings(data_dir=copy, intake_process=False)):
        pass
