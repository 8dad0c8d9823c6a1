"""What is missing on a machine is said in the first second, with the line that installs it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.preflight import (
    DEBIAN,
    DEBIAN_BROWSER,
    DEBIAN_JAVA,
    DEBIAN_MAVEN,
    browser_problem,
    can_install,
    java_problem,
    maven_problem,
    port_problem,
    python_problem,
    venv_problem,
)
from tests.meterfold_process import ROOT


@pytest.mark.parametrize(("version", "fine"), [((3, 10), False), ((3, 11), True), ((3, 14), True), ((2, 7), False)])
def test_an_old_python_is_named_with_its_remedy(version: tuple[int, ...], fine: bool) -> None:
    problem = python_problem(version)
    assert (problem is None) == fine
    assert fine or DEBIAN in str(problem)


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_a_missing_venv_module_is_named_with_its_remedy(missing: str) -> None:
    assert venv_problem(lambda name: True) is None
    assert DEBIAN in str(venv_problem(lambda name: name != missing))


@pytest.mark.parametrize(
    ("said", "fine"),
    [
        ('openjdk version "17.0.15" 2025-04-15', True),
        ('openjdk version "21" 2023-09-19', True),
        ('java version "1.8.0_392"', False),
        ('openjdk version "11.0.2"', False),
        ("Unable to locate a Java Runtime", False),
        (None, False),
    ],
)
def test_an_old_or_missing_java_is_named_with_its_remedy(said: str | None, fine: bool) -> None:
    problem = java_problem(said)
    assert (problem is None) == fine
    assert fine or DEBIAN_JAVA in str(problem)


def test_a_missing_maven_is_named_with_its_remedy() -> None:
    assert maven_problem("bin/mvn") is None
    assert DEBIAN_MAVEN in str(maven_problem(None))


def test_a_missing_browser_is_named_with_its_remedy() -> None:
    assert browser_problem("bin/chromium") is None
    assert DEBIAN_BROWSER in str(browser_problem(None))


@pytest.mark.parametrize(
    ("user", "apt_get", "installs"), [(0, "bin/apt-get", True), (1000, "bin/apt-get", False), (0, None, False)]
)
def test_only_root_on_debian_gets_it_installed(user: int, apt_get: str | None, installs: bool) -> None:
    assert can_install(user, apt_get) == installs


def test_a_missing_browser_is_installed_by_root_and_else_told(tmp_path: Path) -> None:
    apt_get = tmp_path / "apt-get"
    apt_get.write_text(f"#!/bin/sh\n[ $2 = update ] || (echo > {tmp_path}/chromium; chmod +x {tmp_path}/chromium)\n")
    apt_get.chmod(0o755)
    (tmp_path / "chmod").symlink_to(str(shutil.which("chmod")))
    command = [sys.executable, str(ROOT / "deploy" / "preflight.py"), "--browser"]

    def told(*more: str) -> tuple[int, str]:
        ended = subprocess.run(
            [*command, *more], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False
        )
        return ended.returncode, ended.stderr

    missing = (1, f"preflight: {browser_problem(None)}\n")
    assert told() == missing
    is_root = os.getuid() == 0
    installing = "preflight: Chromium is missing and is installed now, to test the portal\n"
    assert told("--install") == ((0, installing) if is_root else missing)
    assert told("--install") == ((0, "") if is_root else missing)


def test_a_taken_port_is_named_with_another_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"METERFOLD_PORT={port + 1}" in str(port_problem("127.0.0.1", port))
    assert port_problem("127.0.0.1", port) is None


@pytest.mark.slow
def test_it_takes_less_than_a_second_and_needs_nothing_installed() -> None:
    begun = time.monotonic()
    ended = subprocess.run([sys.executable, "-I", "-S", ROOT / "deploy" / "preflight.py"], check=False)
    assert (ended.returncode, time.monotonic() - begun < 1) == (0, True)
