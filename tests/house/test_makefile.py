"""`make` alone tells everything that there is to make."""

from __future__ import annotations

import os
import re
import subprocess
from configparser import ConfigParser
from pathlib import Path

from tests.meterfold_process import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def test_every_target_for_people_has_a_line_of_help() -> None:
    targets = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    inner = {"port", "kafka-needs", "browser-needs"}
    helped = re.findall(r"^([a-z-]+):.*## \S", MAKEFILE, re.MULTILINE)
    assert [target for target in targets if target not in inner] == helped


def test_make_alone_shows_the_help() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert re.findall(r"^[a-z-]+", shown, re.MULTILINE) == re.findall(r"^([a-z-]+):.*## \S", MAKEFILE, re.MULTILINE)


def test_the_continuous_integration_runs_make_test_and_nothing_else() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"


def test_compiled_modules_are_kept_whatever_the_shell_says() -> None:
    told = subprocess.run(
        ["make", "--no-print-directory", "-f", "Makefile", "-f", "-", "told"],
        cwd=ROOT,
        input="told: ; @env",
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "TOLD": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert "TOLD=1" in told
    assert not [line for line in told if line.startswith("PYTHONDONTWRITEBYTECODE=")]


def test_coverage_is_that_of_the_tests_of_the_rooms_and_all_other_tests_run_without() -> None:
    told = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "test"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    rooms = {f"tests/{room.strip()}" for room in settings["coverage:run"]["source"].split(",")}
    measured, others, slow = re.findall(r"-m pytest (.+)", told)
    two_at_a_time = '-n 2 --dist loadfile --no-loadscope-reorder -m "not slow" '
    assert measured.startswith(f"{two_at_a_time}--cov --cov-report= ")
    assert others.startswith(f"{two_at_a_time}tests/laws ")
    assert slow == "-m slow"
    assert {word for word in measured.split() if "/" in word} == rooms
    run = [word for word in (measured + " " + others).split() if "/" in word]
    folders = {str(Path(*path.relative_to(ROOT).parts[:2])) for path in (ROOT / "tests").rglob("test_*.py")}
    assert folders <= set(run)
    assert len(run) == len(set(run))
