"""Write the log of the present release, once: play the history, keep log and keys, and record the answers.

.venv/bin/python -m tests.releases.make_log VERSION
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.releases.history import play
from tests.releases.recorded import LOGS, QUESTIONS, answers_of, opened, pack


def make(name: str) -> None:
    """Write the log of this name; it must not exist yet."""
    if (LOGS / f"{name}.json").exists():
        raise FileExistsError(f"the log of {name} was written: it is never written again")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        play(folder)
        pack(name, folder)
        with opened(folder) as engine:
            topics = sorted({record.topic for record in engine.log.read(0, 1_000_000)})
            found = {"topics": topics, "answers": answers_of(engine, QUESTIONS)}
    (LOGS / f"{name}.json").write_text(json.dumps(found, indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    make(sys.argv[1])
