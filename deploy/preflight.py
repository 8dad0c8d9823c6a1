"""Check the requirements of `make`, and print the command that installs what is missing.

    python3 deploy/preflight.py [--port PORT] [--host HOST] [--kafka] [--browser] [--install]

Uses the standard library only, and no syntax newer than Python 3.7, so that an old Python prints a message instead of
a SyntaxError. Exits with 0 if nothing is missing, and with 1 after messages otherwise. With `--install`, root gets a
missing browser by apt-get instead of the message.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
from typing import Callable  # noqa: UP035 -- collections.abc is not subscriptable in old Pythons

PYTHON_MIN = (3, 11)
DEBIAN = "sudo apt-get install -y python3 python3-venv"
JAVA_MIN = 17
DEBIAN_JAVA = "sudo apt-get install -y openjdk-17-jre-headless"
DEBIAN_MAVEN = "sudo apt-get install -y maven"
JAVA_SECONDS_MAX = 20
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DEBIAN_BROWSER = "sudo apt-get install -y chromium"


def python_problem(version: tuple[int, ...]) -> str | None:
    """The message for a Python version that is too old; None if it is not."""
    if version[:2] >= PYTHON_MIN:
        return None
    return (
        f"Python 3.11 or newer is needed; this is {version[0]}.{version[1]}. On Debian 12 or newer: {DEBIAN} "
        "(or name another one: make PYTHON=python3.12 ...)"
    )


def venv_problem(is_there: Callable[[str], bool]) -> str | None:
    """The message if a module for virtual environments is missing; None if not."""
    if is_there("venv") and is_there("ensurepip"):
        return None
    return f"Python's venv module is missing. On Debian: {DEBIAN}"


def port_problem(host: str, port: int) -> str | None:
    """The message if the engine cannot listen on this port; None if it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return (
                f"Cannot listen on {host}:{port} ({error.strerror}). Stop what listens there, "
                f"or choose another port: METERFOLD_PORT={port + 1} make run"
            )
    return None


def java_problem(output: str | None) -> str | None:
    """The message for Java by the output of `java -version` (None: no Java); None if it is new enough."""
    if output is None:
        return f"Java {JAVA_MIN} or newer is needed for Kafka. On Debian: {DEBIAN_JAVA}"
    version = re.search(r'version "(?:1\.)?(\d+)', output)
    if version is not None and int(version.group(1)) >= JAVA_MIN:
        return None
    found = "of an unknown version" if version is None else version.group(1)
    return f"Java {JAVA_MIN} or newer is needed for Kafka; this is {found}. On Debian: {DEBIAN_JAVA}"


def maven_problem(found: str | None) -> str | None:
    """The message if `mvn` was not found, which fetches Kafka; None if it was."""
    return None if found else f"Maven is needed to fetch Kafka. On Debian: {DEBIAN_MAVEN}"


def browser_program() -> str | None:
    """The path of a browser that tests can drive; None if there is none."""
    return next((found for found in map(shutil.which, BROWSERS) if found), None)


def browser_problem(found: str | None) -> str | None:
    """The message if no browser was found, which tests of the portal open; None if one was."""
    return None if found else f"Chromium is needed to test the portal. On Debian: {DEBIAN_BROWSER}"


def can_install(user: int, apt_get: str | None) -> bool:
    """Whether what is missing can be installed here without asking anybody."""
    return user == 0 and apt_get is not None


def install_browser() -> None:
    """Install the browser as `DEBIAN_BROWSER` does. A failure is told by the check that follows."""
    sys.stderr.write("preflight: Chromium is missing and is installed now, to test the portal\n")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "chromium"]):
        command = ["apt-get", "-q", *arguments]
        subprocess.run(command, env=environment, stdout=sys.stderr, check=False)


def _java_version_output() -> str | None:
    program = shutil.which("java")
    if program is None:
        return None
    try:
        output = subprocess.check_output([program, "-version"], stderr=subprocess.STDOUT, timeout=JAVA_SECONDS_MAX)
    except (OSError, subprocess.SubprocessError):
        return ""
    return output.decode(errors="replace")


def _module_is_there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def main() -> int:
    """Check, print a message for every problem, and return the exit status."""
    parser = argparse.ArgumentParser(description="Check the requirements of Meterfold on this machine.")
    parser.add_argument("--host", default=os.environ.get("METERFOLD_HOST") or "127.0.0.1")
    parser.add_argument("--port", type=int, default=None, help="also check that this port is free")
    parser.add_argument("--kafka", action="store_true", help="also check the requirements of a Kafka broker")
    parser.add_argument("--browser", action="store_true", help="also check that there is a browser for tests")
    parser.add_argument("--install", action="store_true", help="install a missing browser, as root with apt-get")
    arguments = parser.parse_args()
    problems = [python_problem(sys.version_info[:2]), venv_problem(_module_is_there)]
    if arguments.port is not None:
        problems.append(port_problem(arguments.host, arguments.port))
    if arguments.kafka:
        problems += [java_problem(_java_version_output()), maven_problem(shutil.which("mvn"))]
    if arguments.browser:
        if arguments.install and browser_program() is None and can_install(os.getuid(), shutil.which("apt-get")):
            install_browser()
        problems.append(browser_problem(browser_program()))
    for problem in problems:
        if problem is not None:
            sys.stderr.write(f"preflight: {problem}\n")
    return 1 if any(problems) else 0


if __name__ == "__main__":
    sys.exit(main())
