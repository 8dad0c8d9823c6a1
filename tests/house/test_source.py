"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from consumers.settings import Settings
from tests.meterfold_process import ROOT

ROOMS = ("domain", "projections", "consumers", "api")
LINES_MAX = 600
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
PACKAGES = sorted({path.parent for path in SOURCES})
README_LINES_MAX = 20
MODULES_MAX = 16
PURE = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in ("domain", "projections")]
PLACES = re.compile(
    r"(?<![\w.])/(?:work|home|root|Users|opt)/|\b\w+://(?:pypi|files\.pythonhosted)\b|\.parent / \"shared\""
)
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc", "base"}
CLOCKS_AND_DICE = {"datetime.now", "datetime.utcnow", "date.today", "time.time", "uuid.uuid4", "uuid4", "random.random"}


def written() -> list[Path]:
    """Every file of the repository that people wrote, tracked or about to be."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_nothing_speaks_of_places_outside_the_repository() -> None:
    found = []
    for path in written():
        if path == Path(__file__).resolve() or path.suffix in (".csv", ".parquet"):
            continue
        text = path.read_text(errors="replace")
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in PLACES.finditer(text)]
    assert found == []


def test_no_file_is_too_long_to_be_one_subject() -> None:
    assert [str(path) for path in SOURCES if len(path.read_text().splitlines()) > LINES_MAX] == []


def test_every_file_is_named_for_its_subject() -> None:
    assert [str(path) for path in SOURCES if VAGUE & {path.stem, path.parent.name}] == []


def test_every_file_says_what_it_is_about() -> None:
    silent = [
        str(path) for path in SOURCES if path.read_text() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert silent == []


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_time_and_chance_are_passed_in(path: Path) -> None:
    calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
    assert calls & CLOCKS_AND_DICE == set()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_used(name: str) -> None:
    used = re.compile(rf"settings\.{name}\b")
    assert any(used.search(path.read_text()) for path in SOURCES)


def test_every_file_of_tests_that_needs_a_broker_is_marked() -> None:
    needing = re.compile(r"\bbroker: RunningBroker\b|\brunning_broker\(|\bgiven_or_running_broker\(")
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if needing.search(path.read_text())]
    unmarked = [str(path) for path in tests if "\npytestmark = pytest.mark.kafka\n" not in path.read_text()]
    assert (unmarked, len(tests) > 10) == ([], True)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_package_says_what_it_is_for(package: Path) -> None:
    readme = (package / "README.md").read_text()
    assert [words for words in ("May import:", "Must never:", "Start reading:") if words not in readme] == []
    assert len(readme.splitlines()) <= README_LINES_MAX


def test_no_folder_holds_more_than_a_reader_can_survey() -> None:
    counts = Counter(path.parent for path in SOURCES if path.name != "__init__.py")
    assert {str(folder): count for folder, count in counts.items() if count > MODULES_MAX} == {}


def test_every_folder_of_tests_is_a_package_so_that_none_is_imported_for_a_library() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_tests_are_laid_out_as_the_source_is() -> None:
    tests = [path for room in ROOMS for path in (ROOT / "tests" / room).rglob("*.py")]
    folders = {path.parent.relative_to(ROOT / "tests") for path in tests}
    assert {str(folder) for folder in folders if not (ROOT / folder).is_dir()} == {"consumers/kafka/broker"}
