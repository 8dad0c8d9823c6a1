"""The conformance suite of read stores runs on every implementation in `IMPLEMENTATIONS`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.projections.queries.store_under_test import DuckDBUnderTest, StoreUnderTest

IMPLEMENTATIONS: Final = {"duckdb": DuckDBUnderTest}


@pytest.fixture(params=IMPLEMENTATIONS)
def store_under_test(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreUnderTest]:
    store: StoreUnderTest = IMPLEMENTATIONS[request.param](tmp_path / "store")
    yield store
    store.close()
