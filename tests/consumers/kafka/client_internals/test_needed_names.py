"""Where a release of the library lacks one needed name, none of its insides is used, and the reason is told."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest

from consumers.kafka.client_internals.needed_names import (
    MISSING,
    NEEDED,
    missing_names,
    why_internals_are_not_used,
)
from tests.meterfold_process import ROOT, environment

#: Owned by a class, by its instances, with parameters, and in a class of a class.
NAMES = (
    "library.fetcher:Fetcher.send",
    "library.fetcher:Fetcher._sessions",
    "library.fetcher:Fetcher.parse(self, fetched)",
    "library.fetcher:Fetcher.Records._position",
)


class Fetcher:
    """As `NAMES` say."""

    class Records:
        def __init__(self) -> None:
            self._position = 0

    def __init__(self) -> None:
        self._sessions: dict[int, int] = {}

    def send(self) -> None: ...

    def parse(self, fetched: bytes) -> None: ...


class OtherParameters(Fetcher):
    def parse(self, fetched: bytes, node: int = 0) -> None: ...


def missing_in(fetcher: type) -> tuple[str, ...]:
    return missing_names(NAMES, {"library.fetcher": SimpleNamespace(Fetcher=fetcher)}.__getitem__)


def test_this_release_has_all_names_and_no_others() -> None:
    assert (MISSING, why_internals_are_not_used()) == ((), None)
    assert missing_names([name.replace(":", ":No") for name in NEEDED]) == tuple(
        name.replace(":", ":No") for name in NEEDED
    )
    ends_wrong = [name.partition("(")[0] + "_no" for name in NEEDED]
    assert missing_names(ends_wrong) == tuple(ends_wrong)


def test_names_of_instances_and_of_parameters_are_known() -> None:
    assert missing_in(Fetcher) == ()
    assert missing_in(OtherParameters) == (NAMES[2],)
    assert missing_in(type("Bare", (), {})) == NAMES
    assert missing_in(type("NoSessions", (), {"send": Fetcher.send, "Records": Fetcher.Records})) == NAMES[1:3]


@pytest.mark.parametrize("module", sorted({name.partition(":")[0] for name in NEEDED}))
def test_names_of_a_module_that_is_gone_are_missing(module: str) -> None:
    def module_of(name: str) -> Any:
        if name == module:
            raise ModuleNotFoundError(name)
        return import_module(name)

    assert missing_names(NEEDED, module_of) == tuple(name for name in NEEDED if name.startswith(f"{module}:"))


def test_the_reason_names_the_release_and_what_it_lacks() -> None:
    release = version("kafka-python")
    assert why_internals_are_not_used(["kafka.a:B"]) == f"kafka-python {release} lacks kafka.a:B"
    assert why_internals_are_not_used(["kafka.a:B", "kafka.c:D", "kafka.e:F"]) == (
        f"kafka-python {release} lacks kafka.a:B and 2 more"
    )


def test_without_a_name_that_the_internal_reader_derives_from_everything_else_can_be_imported() -> None:
    program = (
        "from kafka.consumer.fetcher import Fetcher; del Fetcher.PartitionRecords\n"
        "import consumers.bootstrap, consumers.kafka.producing.file_producer\n"
        "from consumers.kafka.client_internals.needed_names import why_internals_are_not_used\n"
        "print(why_internals_are_not_used())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "lacks kafka.consumer.fetcher:Fetcher.PartitionRecords and " in ran.stdout
