"""Settings have defaults and bounds, and names that begin with their subject and end in their unit."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from consumers.settings import GROUPS, Settings, group_of


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", "70000"), ("fold_lag_seconds_max", "0"), ("duckdb_memory_bytes_max", "lots"), ("nothing", "1")],
)
def test_a_value_out_of_range_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate({name: value})


@pytest.mark.parametrize(
    ("given", "size_bytes"),
    [(2048, 2048), ("2048", 2048), ("64KiB", 65_536), ("1 MB", 1_000_000), ("1.5GiB", 1_610_612_736)],
)
def test_a_size_may_have_a_unit(given: object, size_bytes: int) -> None:
    assert Settings.model_validate({"http_body_bytes_max": given}).http_body_bytes_max == size_bytes


def test_the_environment_of_the_process_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERFOLD_PORT", "9000")
    assert (Settings().port, Settings().data_dir) == (8080, Path("data"))


def test_every_setting_belongs_to_one_group_and_groups_stand_together() -> None:
    titles = [group_of(name) for name in Settings.model_fields]
    assert list(dict.fromkeys(titles)) == list(GROUPS)
    assert titles == sorted(titles, key=list(GROUPS).index)


UNITS = frozenset("bytes deltas entries events records requests retries rows seconds threads".split())
UNITLESS = frozenset(("port", "verify_hour_utc", "litellm_over_budget_status", "kafka_consumers"))


def test_units_stand_last_in_the_names_of_numbers() -> None:
    numbers = [name for name, value in Settings() if isinstance(value, int | float) and not isinstance(value, bool)]
    last_words = {name: name.removesuffix("_max").removesuffix("_min").split("_")[-1] for name in numbers}
    assert [name for name in numbers if name not in UNITLESS and last_words[name] not in UNITS] == []
