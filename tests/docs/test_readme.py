"""The README says what is: settings and their defaults, commands, and links that lead somewhere."""

import dataclasses
import re
from pathlib import Path

import pytest

from streamgauge.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def shown(value: object) -> str:
    if value is None or value == ():
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("option", dataclasses.fields(Settings), ids=lambda option: option.name)
def test_the_readme_names_every_setting_with_its_default(option: "dataclasses.Field[object]") -> None:
    assert f"| `STREAMGAUGE_{option.name.upper()}` | {shown(option.default)} |" in README


def test_the_readme_begins_with_the_two_commands_that_ci_runs() -> None:
    commands = [line.strip() for line in README.splitlines() if line.startswith("    python3 -m venv")]
    assert len(commands) == 2
    assert "streamgauge demo" in commands[0]
    assert ".venv/bin/pytest" in commands[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)[^)]*\)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


def test_no_placeholder_is_left() -> None:
    assert not re.findall(r"@[A-Z]+@", README)
