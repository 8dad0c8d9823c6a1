"""`meterfold serve` prints its address, keeps its key in a file, and refuses a port or folder in use."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
from pathlib import Path

import httpx
import pytest

from api.cli.commands.serve import greeting
from api.cli.server.local_address import url_of
from consumers.settings import Settings
from tests.api.cli.shell import run
from tests.meterfold_process import Server, command_line, environment


def environment_without_key() -> dict[str, str]:
    return {name: value for name, value in environment().items() if name != "METERFOLD_ADMIN_KEY"}


def serve_once(folder: Path) -> tuple[str, str]:
    """Start an engine, send a request with the key in its folder, stop it; return that key and all that was printed."""
    engine = subprocess.Popen(
        command_line("serve", "--data", str(folder), "--port", "0", "--json"),
        env=environment_without_key(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert engine.stdout is not None
    lines = [next(line for line in engine.stdout if line.startswith("{"))]
    printed: dict[str, str] = json.loads(lines[0])
    key = Path(printed["key_file"]).read_text().strip()
    answer = httpx.get(f"{printed['url']}/v1/customers", headers={"Authorization": f"Bearer {key}"})
    engine.send_signal(signal.SIGTERM)
    lines.append(engine.communicate(timeout=60)[0])
    assert (answer.status_code, engine.returncode) == (200, 0)
    return key, "".join(lines)


def test_an_engine_creates_its_key_once_stores_it_privately_and_writes_it_to_no_log(tmp_path: Path) -> None:
    (first, told), (second, told_again) = serve_once(tmp_path), serve_once(tmp_path)
    assert first.startswith("sk-")
    assert second == first
    assert first not in told + told_again
    kept = tmp_path / "admin.key"
    assert (kept.read_text().strip(), stat.S_IMODE(kept.stat().st_mode)) == (first, 0o600)
    assert not (tmp_path / "engine.json").exists()


def shown_on_terminal(folder: Path) -> str:
    """What an engine shows on a terminal until it listens."""
    ours, theirs = pty.openpty()
    arguments = command_line("serve", "--data", str(folder), "--port", "0")
    engine = subprocess.Popen(arguments, env=environment_without_key(), stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    while b"Ingest a month" not in shown:
        shown += os.read(ours, 4096)
    engine.send_signal(signal.SIGTERM)
    engine.wait(60)
    os.close(ours)
    return shown.decode()


def test_a_new_key_is_shown_once_on_a_terminal(tmp_path: Path) -> None:
    first = shown_on_terminal(tmp_path)
    key = (tmp_path / "admin.key").read_text().strip()
    assert first.count(key) == 1
    assert key not in shown_on_terminal(tmp_path)


def test_a_short_admin_key_is_refused_in_one_line(tmp_path: Path) -> None:
    for arguments in (("serve", "--port", "0"), ("keys", "list")):
        ended = subprocess.run(
            command_line(*arguments, "--data", str(tmp_path / "data")),
            env=environment(METERFOLD_ADMIN_KEY="sk-short"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (
            2,
            "",
            "meterfold: METERFOLD_ADMIN_KEY: must start with 'sk-', followed by 16 to 252 visible ASCII characters\n",
        )


def test_a_folder_that_is_owned_is_refused_with_its_owner(server: Server) -> None:
    ended = run("serve", "--data", str(server.folder), "--port", "0")
    assert (ended.code, ended.out) == (5, "")
    assert server.url in ended.err


def test_a_port_in_use_is_refused(server: Server, tmp_path: Path) -> None:
    ended = run("serve", "--data", str(tmp_path / "data"), "--port", str(server.port))
    assert (ended.code, "--port" in ended.err) == (5, True)
    assert not (tmp_path / "data").exists()


def test_the_greeting_can_be_copied_and_pasted(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "it's here"
    folder.mkdir()
    (folder / "admin.key").write_text("sk-in-the-folder\n")
    lines = greeting(server.url, None, Settings(data_dir=folder))
    script = "\n".join(line for line in lines if line.startswith(("  curl", "    -"))).replace("curl ", "echo ")
    printed = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True).stdout
    assert printed.count("Authorization: Bearer sk-in-the-folder") == 2


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
