"""The engine's settings in measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consumers.settings import Settings


def engine_settings(folder: Path, **chosen: Any) -> Settings:
    """The engine's defaults, except `chosen` and one DuckDB thread.

    A second thread does not speed up the fold, and measurements on one core would not be comparable.
    """
    return Settings(data_dir=folder, **{"duckdb_threads": 1, **chosen})
