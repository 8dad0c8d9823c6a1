"""The files in deploy/ for systemd and reverse proxies agree with the settings and the commands that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from api.cli.server.graceful_shutdown import STOPPING_SECONDS_MAX
from consumers.setting_variables import COMMAND_LINE_VARIABLES, read_settings
from consumers.settings import Settings, variable_of
from tests.meterfold_process import ROOT, meterfold

UNIT = ROOT / "deploy" / "systemd" / "meterfold.service"
NGINX = (ROOT / "deploy" / "proxy" / "nginx.conf").read_text()
CADDY = (ROOT / "deploy" / "proxy" / "Caddyfile").read_text()
DEFAULTS = Settings.model_fields
MEBIBYTE = 1024 * 1024


def unit_lines(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


def test_the_unit_runs_a_command_that_exists_with_settings_that_exist() -> None:
    (command,), (variables,) = unit_lines("ExecStart"), unit_lines("Environment")
    program, *arguments = command.split()
    assert Path(program).name == "meterfold"
    assert meterfold(*arguments, "--help")
    environment = dict(variable.split("=", 1) for variable in variables.split())
    read_settings(environment)
    (state,) = unit_lines("StateDirectory")
    assert environment["METERFOLD_DATA_DIR"] == f"/var/lib/{state}"


def test_the_unit_gives_the_engine_the_time_to_stop() -> None:
    (seconds,) = unit_lines("TimeoutStopSec")
    assert int(seconds) > STOPPING_SECONDS_MAX
    assert unit_lines("KillMode") == ["mixed"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_knows_every_line_of_the_unit(tmp_path: Path) -> None:
    installed = tmp_path / UNIT.name  # with a program that is there, as systemd looks for it
    installed.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE))
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(installed)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_proxies_pass_on_what_the_engine_takes() -> None:
    largest = DEFAULTS["http_body_bytes_max"].default // MEBIBYTE
    assert f"client_max_body_size {largest}m;" in NGINX
    assert f"max_size {largest}MiB" in CADDY
    port = DEFAULTS["port"].default
    assert f"server 127.0.0.1:{port};" in NGINX
    assert set(re.findall(r"127\.0\.0\.1:\d+", CADDY)) == {f"127.0.0.1:{port}"}


def test_proxies_wait_longer_than_a_write_may_take() -> None:
    seconds = [
        int(found) for found in re.findall(r"(?:proxy_read_timeout|response_header_timeout) (\d+)s", NGINX + CADDY)
    ]
    assert len(seconds) == 2
    assert min(seconds) > DEFAULTS["http_write_wait_seconds_max"].default


def test_nginx_tells_the_engine_that_a_request_came_from_elsewhere_and_keeps_its_path() -> None:
    assert "proxy_set_header X-Forwarded-For " in NGINX
    assert set(re.findall(r"proxy_pass (\S+);", NGINX)) == {"http://meterfold"}


def test_every_setting_that_a_file_of_deploy_names_exists() -> None:
    names = {
        name
        for path in sorted((ROOT / "deploy").rglob("*"))
        if path.is_file() and path.suffix not in {".pyc", ".jar"}
        for name in re.findall(r"METERFOLD_[A-Z_]+", path.read_text())
    }
    assert "METERFOLD_HTTP_BODY_BYTES_MAX" in names
    assert names <= {variable_of(name) for name in Settings.model_fields} | set(COMMAND_LINE_VARIABLES)
