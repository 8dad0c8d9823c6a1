"""What deploy/Dockerfile copies is there and reaches the build, and the commands that it runs are real."""

from __future__ import annotations

import json
import re
from configparser import ConfigParser
from fnmatch import fnmatch
from pathlib import Path

import pytest

from consumers.settings import Settings, variable_of
from tests.meterfold_process import ROOT, meterfold

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")
IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]


def instructions(name: str) -> list[str]:
    return re.findall(rf"^\s*{name}\s+(.+)$", DOCKERFILE, re.MULTILINE)


def copied() -> list[str]:
    return [word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]]


@pytest.mark.parametrize("name", copied())
def test_what_is_copied_is_there_and_not_ignored(name: str) -> None:
    assert (ROOT / name).exists()
    reaches = False
    for pattern in IGNORED:
        if fnmatch(name, pattern.removeprefix("!")):
            reaches = pattern.startswith("!")
    assert reaches


def test_every_room_is_copied_and_no_data() -> None:
    assert {"domain", "projections", "consumers", "api", "requirements.lock"} <= set(copied())
    assert IGNORED[0] == "*"


def test_the_command_is_one_and_runs_as_nobody_special() -> None:
    assert [json.loads(line) for line in instructions("ENTRYPOINT")] == [["meterfold"]]
    commands = [json.loads(line) for line in instructions("CMD")]
    assert commands[-1] == ["serve"]
    assert "--data" in meterfold(*commands[-1], "--help")
    assert instructions("USER") == ["meterfold"]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    assert instructions("VOLUME") == ["/data"]


def test_its_settings_exist_and_agree_with_its_port_and_health_check() -> None:
    given = dict(re.findall(r"(METERFOLD_[A-Z_]+)=(\S+)", DOCKERFILE))
    by_name = {name: given[variable_of(name)] for name in Settings.model_fields if variable_of(name) in given}
    assert len(by_name) == len(given)
    settings = Settings.model_validate(by_name)
    assert (settings.host, settings.data_dir) == ("0.0.0.0", Path("/data"))
    assert instructions("EXPOSE") == [str(settings.port)]
    assert f"http://127.0.0.1:{settings.port}/healthz" in DOCKERFILE


def test_what_it_leaves_out_is_pinned_but_not_needed_by_the_engine() -> None:
    left_out = re.findall(r"--invert-match --extended-regexp '\^\(([^)]*)\)=='", DOCKERFILE)[0].split("|")
    lock = (ROOT / "requirements.lock").read_text()
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    needed = setup["options"]["install_requires"]
    assert [name for name in left_out if f"\n{name}==" not in lock or f"\n{name} " in needed] == []
