"""One running engine for all tests of the command line; each test has its own customers and sources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.cli.shell import Shell
from tests.meterfold_process import ADMIN_KEY, Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("command-line")
    with serving(folder / "data", folder / "messages") as server:
        yield server


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables have room for all columns, whatever terminal the tests run in."""
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def shell(server: Server) -> Shell:
    """A shell that talks to the running engine by its address."""
    return Shell("--url", server.url, "--key", ADMIN_KEY)
