"""The committed dashboards as the checks read them: boards, panels, targets, queries with their variables filled in."""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser

REPOSITORY = Path(__file__).parents[2]
OUTPUT = REPOSITORY / "dashboards" / "grafana"
RULES = REPOSITORY / "dashboards" / "prometheus"

FILLED = {
    "__rate_interval": "300s",
    "__range": "21600s",
    "__interval": "60s",
    "service": "chat",
    "provider": ".+",
    "model": ".+",
    "slo": ".+",
}
_VARIABLE = re.compile(r"\$(?:([a-zA-Z_]\w*)|\{(\w+)(?::\w+)?\})")

Json = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """One query in its place."""

    board: str
    panel: Json
    target: Json

    @property
    def place(self) -> str:
        return f"{self.board} / {self.panel['title']} / {self.target['refId']}"

    @property
    def expr(self) -> str:
        return str(self.target["expr"])


def load(directory: Path = OUTPUT) -> dict[str, Json]:
    """All dashboards by name."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(directory.glob("*.json"))}


def panels(board: Json) -> list[Json]:
    """Panels that show something, rows left out."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def targets(boards: Mapping[str, Json]) -> list[Target]:
    """Every query of every panel."""
    return [
        Target(name, panel, target)
        for name, board in boards.items()
        for panel in panels(board)
        for target in panel["targets"]
    ]


def asked(boards: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Place and PromQL of everything a dashboard sends: panels, annotations and variables."""
    for target in targets(boards):
        yield target.place, target.expr
    for name, board in boards.items():
        for annotation in board["annotations"]["list"]:
            yield f"{name} / annotation {annotation['name']}", annotation["target"]["expr"]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{name} / variable {variable['name']}", label_values(variable["query"])[0]


def label_values(query: str) -> tuple[str, str]:
    """Selector and label of a variable's query."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    assert found, query
    return found[1], found[2]


def filled(expr: str, values: Mapping[str, str] = FILLED) -> str:
    """The expression with Grafana's and the reader's variables replaced."""
    return _VARIABLE.sub(lambda found: values[found[1] or found[2]], expr)


def walk(node: Any, parents: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every node of a parsed expression with its parents, outermost first."""
    yield node, parents
    for name in ("lhs", "rhs", "expr", "param", "vector_selector", "args"):
        below = getattr(node, name, None)
        for each in below if isinstance(below, list) else [below]:
            if each is not None and hasattr(each, "prettify"):
                yield from walk(each, (*parents, node))


@functools.cache
def selectors(expr: str) -> list[Any]:
    """All vector selectors of an expression."""
    parsed = promql_parser.parse(filled(expr))
    return [node for node, _ in walk(parsed) if isinstance(node, promql_parser.VectorSelector)]


def series_names(expr: str) -> set[str]:
    """Names of all series that an expression reads; patterns of names are left out."""
    return {node.name for node in selectors(expr) if node.name}
