"""The engine is imported without collections of garbage, by `serve` and by commands that open a folder themselves."""

from __future__ import annotations

import gc
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from api.cli.server.quick_imports import quick_imports
from tests.meterfold_process import environment

COUNTING = """
import gc, sys

collections = []

def count(phase, info):
    if "api.app" in sys.modules and not hasattr(sys.modules["api.app"], "create_app"):
        collections.append(phase)

gc.callbacks.append(count)
from api.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("api.app" in sys.modules, len(collections), gc.isenabled())
"""


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("status",)])
def test_the_engine_is_imported_without_a_collection(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").mkdir()  # no engine can be opened, once it is imported
    ended = subprocess.run(
        [sys.executable, "-c", COUNTING, *command, "--data", str(tmp_path)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout.splitlines()[-1] == "True 0 True", ended.stderr


def test_garbage_is_collected_again_also_after_an_error() -> None:
    with suppress(ImportError), quick_imports():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()


def test_collections_that_were_off_stay_off() -> None:
    gc.disable()
    try:
        with quick_imports():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
