"""Whether a process runs, seen from outside."""

from __future__ import annotations

from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether this process exists and is not just waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False
