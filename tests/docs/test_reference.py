"""The reference is what the program says of itself; every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.reference_pages import FOLDER, commands, pages
from consumers.settings import Settings, variable_of

ROOT = FOLDER.parent.parent
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "run `make docs`"


def test_every_setting_is_in_the_reference() -> None:
    page = (FOLDER / "settings.md").read_text()
    assert [name for name in Settings.model_fields if f"`{variable_of(name)}`" not in page] == []


def test_every_command_is_shown_at_work_somewhere() -> None:
    prose = "\n".join(page.read_text() for page in WRITTEN if page.parent != FOLDER)
    groups = {name.rsplit(" ", 1)[0] for name, _ in commands()}
    assert [name for name, _ in commands() if name not in groups and name not in prose] == []


def test_every_command_and_option_says_what_it_does() -> None:
    silent = re.compile(r"^  --[a-z-]+( <[^>]+>| [A-Z]+)?$\n(?! {6,}\S)", re.MULTILINE)
    assert [name for name, text in commands() if silent.search(text) or "\n\n  " not in text] == []


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    assert [to for to in targets if not to.startswith("https://") and not (page.parent / to).exists()] == []
