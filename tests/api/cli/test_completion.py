"""Shells complete commands and options."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.meterfold_process import environment


def completed(**variables: str) -> str:
    program = [sys.executable, "-c", "from api.cli.main import main; main()"]
    ended = subprocess.run(program, env={**environment(), **variables}, capture_output=True, text=True, check=True)
    return ended.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_for_each_shell(shell: str) -> None:
    script = completed(_METERFOLD_COMPLETE=f"source_{shell}")
    assert f"_METERFOLD_COMPLETE=complete_{shell}" in script


def test_bash_completes_the_commands_of_a_group() -> None:
    words = {"COMP_WORDS": "meterfold customers re", "COMP_CWORD": "2"}
    assert completed(_METERFOLD_COMPLETE="complete_bash", **words).split() == ["reactivate"]


def test_the_script_works_in_bash(tmp_path: os.PathLike[str]) -> None:
    script = completed(_METERFOLD_COMPLETE="source_bash")
    command = os.path.join(tmp_path, "meterfold")
    with open(command, "w") as written:
        written.write(f'#!/bin/sh\nexec {sys.executable} -c "from api.cli.main import main; main()" "$@"\n')
    os.chmod(command, 0o755)
    asked = 'COMP_WORDS=(meterfold budgets sh); COMP_CWORD=2; _meterfold_completion meterfold; echo "${COMPREPLY[@]}"'
    variables = {**environment(), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(
        ["bash", "-c", f"{script}\n{asked}"], env=variables, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["show"]
