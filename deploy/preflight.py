"""Check what `make` is about to need and name the line that installs what is missing.

    python3 deploy/preflight.py [--port PORT] [--host HOST] [--kafka]

Uses the standard library only, and no syntax newer than Python 3.7, so that an old Python gets a
sentence instead of a SyntaxError. Ends with 0 when all is there, with 1 after saying what is not.
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


def python_problem(version: tuple[int, ...]) -> str | None:
    """What is wrong with this Python version, as a sentence; None when it will do."""
    if version[:2] >= PYTHON_MIN:
        return None
    return (
        f"Python 3.11 or newer is needed; this is {version[0]}.{version[1]}. On Debian 12 or newer: {DEBIAN} "
        "(or name another one: make PYTHON=python3.12 ...)"
    )


def venv_problem(is_there: Callable[[str], bool]) -> str | None:
    """What is missing for virtual environments, as a sentence; None when nothing is."""
    if is_there("venv") and is_there("ensurepip"):
        return None
    return f"Python's venv module is missing. On Debian: {DEBIAN}"


def port_problem(host: str, port: int) -> str | None:
    """Why the engine could not listen there, as a sentence; None when it can."""
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


def java_problem(said: str | None) -> str | None:
    """What is wrong with this Java, by what `java -version` said (None: there is none); None when it will do."""
    if said is None:
        return f"Java {JAVA_MIN} or newer is needed for Kafka. On Debian: {DEBIAN_JAVA}"
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version is not None and int(version.group(1)) >= JAVA_MIN:
        return None
    found = "of no known version" if version is None else version.group(1)
    return f"Java {JAVA_MIN} or newer is needed for Kafka; this is {found}. On Debian: {DEBIAN_JAVA}"


def maven_problem(found: str | None) -> str | None:
    """What is missing to fetch Kafka, by where `mvn` was found; None when nothing is."""
    return None if found else f"Maven is needed to fetch Kafka. On Debian: {DEBIAN_MAVEN}"


def _what_java_says() -> str | None:
    program = shutil.which("java")
    if program is None:
        return None
    try:
        said = subprocess.check_output([program, "-version"], stderr=subprocess.STDOUT, timeout=JAVA_SECONDS_MAX)
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.decode(errors="replace")


def _module_is_there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def main() -> int:
    parser = argparse.ArgumentParser(description="Check what Meterfold needs on this machine.")
    parser.add_argument("--host", default=os.environ.get("METERFOLD_HOST") or "127.0.0.1")
    parser.add_argument("--port", type=int, default=None, help="also check that this port is free")
    parser.add_argument("--kafka", action="store_true", help="also check what a Kafka broker needs")
    arguments = parser.parse_args()
    problems = [python_problem(sys.version_info[:2]), venv_problem(_module_is_there)]
    if arguments.port is not None:
        problems.append(port_problem(arguments.host, arguments.port))
    if arguments.kafka:
        problems += [java_problem(_what_java_says()), maven_problem(shutil.which("mvn"))]
    for problem in problems:
        if problem is not None:
            sys.stderr.write(f"preflight: {problem}\n")
    return 1 if any(problems) else 0


if __name__ == "__main__":
    sys.exit(main())
