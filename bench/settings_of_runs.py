"""The settings that everything here is measured with: the engine's defaults, except what is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consumers.settings import Settings


def engine_settings(folder: Path, **chosen: Any) -> Settings:
    """Defaults, with one DuckDB thread: a second one is no gain for the fold, and would not be pinned work."""
    return Settings(data_dir=folder, **{"duckdb_threads": 1, **chosen})
