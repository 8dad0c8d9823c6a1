"""The package holds all that it needs, its versions agree, and what is pinned is what may be."""

from __future__ import annotations

import ast
import re
import sys
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

from setuptools import find_packages

from tests.meterfold_process import ROOT

ROOMS = ("domain", "projections", "consumers", "api")
#: Come with what is declared, in the version that it wants.
CARRIED = frozenset(("pydantic-core",))
SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg")


def names(requirements: str) -> set[str]:
    """Names of requirements, one a line, as indexes normalize them."""
    lines = [re.match(r"[A-Za-z0-9_.-]+", line.strip()) for line in requirements.splitlines()]
    return {re.sub(r"[-_.]+", "-", found[0]).lower() for found in lines if found}


def test_the_version_is_the_newest_in_the_changelog() -> None:
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert SETUP["metadata"]["version"] == versions[0]


def test_every_folder_of_source_is_packaged() -> None:
    include = SETUP["options.packages.find"]["include"].split()
    packaged = set(find_packages(str(ROOT), include=include))
    folders = {
        str(path.parent.relative_to(ROOT)).replace("/", ".") for room in ROOMS for path in (ROOT / room).rglob("*.py")
    }
    assert packaged == folders


def test_everything_that_may_be_installed_is_pinned() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    extras = SETUP["options.extras_require"]
    wanted = names(SETUP["options"]["install_requires"]).union(*(names(extras[extra]) for extra in extras))
    assert wanted - names(lock) == set()
    assert [line for line in lock.splitlines() if not re.fullmatch(r"[A-Za-z0-9_.-]+==\S+", line)] == []


def test_everything_that_is_imported_is_declared() -> None:
    declared = names(SETUP["options"]["install_requires"])
    distributions = packages_distributions()
    undeclared = set()
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for module in _imported(path) - set(ROOMS) - sys.stdlib_module_names:
            if not names("\n".join(distributions.get(module, [module]))) & (declared | CARRIED):
                undeclared.add(f"{path.relative_to(ROOT)}: {module}")
    assert undeclared == set()


def _imported(path: Path) -> set[str]:
    tree = ast.walk(ast.parse(path.read_text()))
    found = {alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names}
    tree = ast.walk(ast.parse(path.read_text()))
    found |= {node.module for node in tree if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in found}


def test_every_type_is_told_to_those_who_import() -> None:
    assert [room for room in ROOMS if not (ROOT / room / "py.typed").exists()] == []
