"""Generation of the pages of docs/reference from the program itself.

`python -m api.reference_pages` writes them; a test checks that the committed pages are up to date.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import typer

from api.cli.main import app
from api.cli.output.exit_codes import MEANINGS
from api.native.dialect import NATIVE
from consumers.setting_variables import COMMAND_LINE_VARIABLES, RENAMED, ShownSetting, shown_settings
from consumers.settings import Settings, variable_of
from domain.usage.event_model import usage_event_json_schema

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "reference"
WIDTH_COLUMNS: Final = 100
_MADE: Final = "<!-- Made by `make docs` from the program itself; change it there. -->"


def pages() -> dict[str, str]:
    """Return every generated page by its file name."""
    return {
        "command-line.md": command_line_page(),
        "settings.md": settings_page(),
        "http-api.md": http_api_page(),
        "usage-event.schema.json": json.dumps(usage_event_json_schema(), indent=2, sort_keys=True) + "\n",
    }


def commands() -> Iterator[tuple[str, str]]:
    """Yield every command with its help text, in the order of `meterfold --help`."""
    group: Any = typer.main.get_command(app)
    yield "meterfold", _help(group, "meterfold")
    yield from _commands_below(group, "meterfold")


def _commands_below(group: Any, name: str) -> Iterator[tuple[str, str]]:
    for word, command in group.commands.items():
        yield f"{name} {word}", _help(command, f"{name} {word}")
        if hasattr(command, "commands"):
            yield from _commands_below(command, f"{name} {word}")


def _help(command: Any, name: str) -> str:
    context = command.context_class(
        command, info_name=name, terminal_width=WIDTH_COLUMNS, max_content_width=WIDTH_COLUMNS
    )
    text: str = command.get_help(context)
    return "\n".join(line.rstrip() for line in text.splitlines())


def command_line_page() -> str:
    """Make the page of the command line: exit codes, then every command with its help."""
    lines = [
        "# The command line",
        "",
        _MADE,
        "",
        "Every command works the same whether or not an engine runs on the data folder: it talks to the one that "
        "does, else it opens the folder itself. `--url` and `--key` reach an engine elsewhere. Tables are for people; "
        "`--json` and `--csv` are for programs ([more](../tasks/use-the-command-line.md)). "
        "Progress goes to the error stream, on a terminal only.",
        "",
        "| exit code | meaning |",
        "|---|---|",
        *(f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items()),
    ]
    for name, text in commands():
        lines += ["", f"## {name}", "", "```text", text, "```"]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Make the page of settings: each with its default and meaning."""
    lines = [
        "# Settings",
        "",
        _MADE,
        "",
        "Settings are environment variables; `meterfold settings` shows each one's value and where it comes from. "
        f"The command line also reads {' and '.join(f'`{name}`' for name in COMMAND_LINE_VARIABLES)}. "
        "Sizes are bytes, and may have a unit: `67108864` and `64MiB` are the same. A variable with the prefix that is "
        "no setting stops the command; those that Kubernetes sets for a service named `meterfold` are passed over.",
    ]
    for group, settings in groupby(shown_settings(Settings(), {}), key=lambda setting: setting.group):
        lines += ["", f"## {group}", "", "| variable | default | meaning |", "|---|---|---|"]
        lines += [_setting_row(setting) for setting in settings]
    lines += ["", "## Renamed", "", "| variable of an earlier release | now |", "|---|---|"]
    lines += [f"| `{old}` | `{variable_of(name)}` |" for old, name in RENAMED.items()]
    return "\n".join(lines) + "\n"


def _setting_row(setting: ShownSetting) -> str:
    default = "" if setting.default in (None, "") else f"`{json.dumps(setting.default).strip(chr(34))}`"
    return f"| `{setting.variable}` | {default} | {setting.description} |"


def http_api_page() -> str:
    """Make the page of the native API: every route with its description."""
    document = NATIVE.openapi()
    lines = [
        "# The native HTTP API",
        "",
        _MADE,
        "",
        "A running engine publishes all of it as OpenAPI 3.1 at `/openapi.json`, and as a page at `/docs/native`.",
        "",
        "| route | meaning |",
        "|---|---|",
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            meaning = " ".join((operation.get("description") or operation.get("summary", "")).split())
            lines.append(f"| `{method.upper()} {path}` | {meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
