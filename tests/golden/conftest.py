"""Fixtures, unpacked once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.golden.fixtures import Fixture

Unpacked = Callable[[Fixture], Path]


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Unpacked:
    """The data folder of a fixture. Tests copy it and never open it itself."""

    @cache
    def unpack(fixture: Fixture) -> Path:
        folder = tmp_path_factory.mktemp("golden") / fixture.name
        fixture.unpack(folder)
        return folder

    return unpack
