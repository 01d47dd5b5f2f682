"""No attribute, metric, event or label name is spelled outside of the registry and what is generated from it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamgauge import names
from streamgauge.schema import generate, model

SOURCE = generate.NAMES.parent
NAMELIKE = re.compile(r"(streamgauge|gen_ai)\.[a-z0-9_.]*\Z")
KNOWN = {*model.current().attributes, *model.current().events, *model.current().metrics}
PROMETHEUS = {metric.prometheus for metric in names.METRICS}

LOOKALIKES = {
    "streamgauge.stream": "the type of a stream report in JSON, and the id of the span's refinement",
    "streamgauge.reconciliation": "the type of a span, which never leaves the process",
    "streamgauge.": "the namespace itself, where it is defined",
    "gen_ai.": "the conventions' namespace, cut off to make a constant",
    "gen_ai.client.": "the same, of their metrics",
}
"""Strings that look like a name of the registry and are none, with the reason; allowed in this room alone."""

EVERYWHERE = ("streamgauge.stream",)
"""Those of them that other rooms may spell, too."""


def modules() -> set[str]:
    """Dotted names of all our modules: loggers, entry points and imports by name."""
    paths = (path.relative_to(SOURCE.parent).with_suffix("") for path in SOURCE.rglob("*.py"))
    return {".".join(path.parts).removesuffix(".__init__") for path in paths}


MODULES = modules()
CUTTING = ("startswith", "removeprefix")


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Every string constant of a module with its line, f-strings by their constant parts.

    Not docstrings, and not the bare namespace where nothing is put together from it.
    """
    tree = ast.parse(path.read_text("utf-8"))
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CUTTING:
            prose |= {id(argument) for argument in node.args}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def spelled(path: Path) -> list[str]:
    name = path.relative_to(SOURCE).as_posix()
    found = []
    for line, text in strings(path):
        allowed = text in LOOKALIKES and (text in EVERYWHERE or name.startswith("schema/"))
        if (text in KNOWN or text in PROMETHEUS or NAMELIKE.match(text)) and text not in MODULES and not allowed:
            found.append(f"{name}:{line}: {text!r}")
    return found


HAND_WRITTEN = [path for path in SOURCE.rglob("*.py") if path != generate.NAMES]


@pytest.mark.parametrize("path", HAND_WRITTEN, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_module_spells_a_name_of_the_registry(path):
    assert spelled(path) == [], "take it from streamgauge.names"


def test_a_hand_spelled_name_is_found(tmp_path, monkeypatch):
    module = tmp_path / "module.py"
    lines = ['"""streamgauge.outcome, in prose."""', 'A = "streamgauge.outcome"', 'B = f"gen_ai.{A}"', 'C = "gen_ai.x"']
    module.write_text("\n".join(lines))
    monkeypatch.setattr("tests.schema.test_names_are_spelled_once.SOURCE", tmp_path)
    assert [found.split(":")[1] for found in sorted(spelled(module))] == ["2", "3", "4"]


def test_every_lookalike_is_still_needed():
    used = {text for path in SOURCE.rglob("*.py") for _, text in strings(path)}
    assert set(LOOKALIKES) <= used
