"""Progress is shown on terminals only."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout

from api.cli.output.progress import progress_bar, waiting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written_to(stream: io.StringIO) -> str:
    out = io.StringIO()
    with redirect_stderr(stream), redirect_stdout(out):
        with progress_bar("Counting [red]") as advance:
            advance(1, 2, "")
        with waiting("Opening [red]"):
            pass
    assert out.getvalue() == ""
    return stream.getvalue()


def test_progress_is_shown_on_a_terminal_and_not_in_a_pipe() -> None:
    assert written_to(io.StringIO()) == ""
    shown = written_to(Terminal())
    assert "Counting [red]" in shown
    assert "Opening [red]" in shown
