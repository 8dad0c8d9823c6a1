"""`meterfold serve` prints its address and key, keeps the key, and refuses a port or folder in use."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
from pathlib import Path

import httpx
import pytest

from api.cli.commands.serve import greeting, url_of
from consumers.settings import Settings
from tests.api.cli.shell import run
from tests.meterfold_process import Server, command_line, environment


def environment_without_key() -> dict[str, str]:
    return {name: value for name, value in environment().items() if name != "METERFOLD_ADMIN_KEY"}


def serve_once(folder: Path) -> dict[str, str]:
    """Start an engine, send a request with the key that it prints, stop it; return what it printed."""
    engine = subprocess.Popen(
        command_line("serve", "--data", str(folder), "--port", "0", "--json"),
        env=environment_without_key(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert engine.stdout is not None
    printed: dict[str, str] = json.loads(engine.stdout.readline())
    answer = httpx.get(f"{printed['url']}/v1/customers", headers={"Authorization": f"Bearer {printed['key']}"})
    engine.send_signal(signal.SIGTERM)
    engine.communicate(timeout=60)
    assert (answer.status_code, engine.returncode) == (200, 0)
    return printed


def test_an_engine_creates_its_key_once_and_stores_it_privately(tmp_path: Path) -> None:
    first, second = serve_once(tmp_path), serve_once(tmp_path)
    assert first["key"].startswith("sk-")
    assert second["key"] == first["key"]
    kept = tmp_path / "admin.key"
    assert (kept.read_text().strip(), stat.S_IMODE(kept.stat().st_mode)) == (first["key"], 0o600)
    assert not (tmp_path / "engine.json").exists()


def test_a_folder_that_is_owned_is_refused_with_its_owner(server: Server) -> None:
    ended = run("serve", "--data", str(server.folder), "--port", "0")
    assert (ended.code, ended.out) == (5, "")
    assert server.url in ended.err


def test_a_port_in_use_is_refused(server: Server, tmp_path: Path) -> None:
    ended = run("serve", "--data", str(tmp_path / "data"), "--port", str(server.port))
    assert (ended.code, "--port" in ended.err) == (5, True)
    assert not (tmp_path / "data").exists()


def test_the_greeting_can_be_copied_and_pasted(server: Server, tmp_path: Path) -> None:
    lines = greeting(server.url, "sk-it's", Settings(data_dir=tmp_path))
    script = "\n".join(line for line in lines if line.startswith(("  curl", "    -"))).replace("curl ", "echo ")
    printed = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True).stdout
    assert printed.count("Authorization: Bearer sk-it's") == 2


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("::1", "http://[::1]:1"),
        ("example.com", "http://example.com:1"),
    ],
)
def test_the_address_is_one_that_can_be_reached(host: str, url: str) -> None:
    assert url_of(host, 1) == url


@pytest.mark.parametrize("port", ["70000", "x"])
def test_an_invalid_port_is_wrong_use(port: str) -> None:
    assert run("serve", "--port", port).code == 2
