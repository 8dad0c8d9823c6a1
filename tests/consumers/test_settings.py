"""Settings are environment variables with defaults; secrets are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from consumers.settings import MASK, Settings, shown_settings, unknown_variables


def test_a_setting_is_shown_with_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERFOLD_PORT", "9000")
    settings = Settings(data_dir=Path("here"))
    shown = {
        setting.name: (setting.value, setting.origin)
        for setting in shown_settings(settings, {"METERFOLD_PORT": "9000"}, {"data_dir"})
    }
    assert shown["port"] == (9000, "environment")
    assert shown["data_dir"] == ("here", "command line")
    assert shown["host"] == ("127.0.0.1", "default")


def test_a_secret_is_masked() -> None:
    shown = shown_settings(Settings(admin_key=SecretStr("sk-very-secret")), {})
    assert [setting.value for setting in shown if setting.name == "admin_key"] == [MASK]
    assert "sk-very-secret" not in repr(shown)


def test_an_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERFOLD_PORT", "")
    assert Settings().port == 8080


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "70000"), ("FOLD_LAG_SECONDS_MAX", "0"), ("DUCKDB_MEMORY_LIMIT", "lots")]
)
def test_a_value_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"METERFOLD_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


@pytest.mark.parametrize("gathering", ["rows", "deltas"])
def test_a_maximum_below_its_minimum_is_refused_and_both_are_named(gathering: str) -> None:
    least, most = f"compact_{gathering}_min", f"compact_{gathering}_max"
    assert getattr(Settings.model_validate({least: 5, most: 5}), most) == 5
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({least: 6, most: 5})
    rule = f"Value error, must be at least METERFOLD_{least.upper()}, which is 6"
    assert [(entry["loc"], entry["msg"]) for entry in refused.value.errors()] == [((most,), rule)]
    with pytest.raises(ValidationError, match=most):  # of the default
        Settings.model_validate({least: 10_000_000})


def test_a_misspelt_variable_is_found() -> None:
    environment = {"METERFOLD_PROT": "1", "METERFOLD_PORT": "1", "METERFOLD_URL": "x", "HOME": "/"}
    assert unknown_variables(environment) == ["METERFOLD_PROT"]


UNITS = frozenset("bytes deltas entries events hours milliseconds records requests rows seconds threads".split())
UNITLESS = frozenset(("port", "verify_hour_utc", "litellm_over_budget_status"))


def test_units_stand_last_in_the_names_of_numbers() -> None:
    numbers = [name for name, field in Settings.model_fields.items() if field.annotation in (int, float)]
    last_words = {name: name.removesuffix("_max").removesuffix("_min").split("_")[-1] for name in numbers}
    assert [name for name in numbers if name not in UNITLESS and last_words[name] not in UNITS] == []
