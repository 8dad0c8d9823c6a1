"""What kafka-python does not document is used in one package, and each private name there is in its list."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from consumers.kafka.client_internals.needed_names import NEEDED
from tests.house.test_source import SOURCES
from tests.meterfold_process import ROOT

INTERNALS = ROOT / "consumers" / "kafka" / "client_internals"
INSIDE = sorted(INTERNALS.glob("*.py"))
OUTSIDE = sorted(set(SOURCES) - set(INSIDE))
#: The modules of documented names. The assignor is the value of an option of the consumer.
ASSIGNOR = "kafka.coordinator.assignors.cooperative_sticky"
DOCUMENTED = {"kafka", "kafka.admin", "kafka.errors", "kafka.partitioner", ASSIGNOR}


def imported_modules(path: Path) -> set[str]:
    """Every module of kafka-python that a file imports, at its top or in a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {module for module in found if module.split(".")[0] == "kafka"}


def private_names_of_others(path: Path) -> Iterator[str]:
    """Attributes beginning with an underscore that are not of the object or class itself, also by `getattr`."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls" | "os")):
                continue
            case (
                ast.Attribute(attr=name) | ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=name), *_])
            ):
                if str(name).startswith("_") and not str(name).startswith("__"):
                    yield str(name)


def test_only_documented_modules_of_the_client_library_are_imported_outside() -> None:
    imported = {str(path.relative_to(ROOT)): imported_modules(path) - DOCUMENTED for path in OUTSIDE}
    assert {path: modules for path, modules in imported.items() if modules} == {}


def test_no_private_name_of_the_client_library_is_used_outside() -> None:
    using = [path for path in OUTSIDE if path.is_relative_to(INTERNALS.parent) or imported_modules(path)]
    used = {str(path.relative_to(ROOT)): list(private_names_of_others(path)) for path in using}
    assert len(used) > 20
    assert {path: names for path, names in used.items() if names} == {}


def test_every_private_name_used_inside_is_checked_at_import() -> None:
    used = {name for path in INSIDE for name in private_names_of_others(path)}
    checked = {name.partition("(")[0].rpartition(".")[2] for name in NEEDED}
    assert len(used) > 10
    assert used <= checked


def test_every_undocumented_class_that_is_imported_is_in_the_list() -> None:
    imported = {
        (node.module, alias.name)
        for path in INSIDE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kafka"
        for alias in node.names
        if node.module not in DOCUMENTED
    }
    listed = {(module, path.split(".")[0]) for module, _, path in (name.partition(":") for name in NEEDED)}
    assert imported <= listed
