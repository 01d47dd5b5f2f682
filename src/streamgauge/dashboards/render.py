"""Boards to bytes: grafanalib's JSON made strict, provisioning files, and one code to write and to compare them.

Options come in, a mapping from file name to text goes out. Only keys that Grafana 13 reads pass; the same options give
the same bytes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grafanalib import core
from grafanalib._gen import DashboardEncoder

from streamgauge.dashboards import layout, look, provisioning, variables
from streamgauge.dashboards.board import NEWEST_SCHEMA, TAG, Board, Options
from streamgauge.dashboards.boards import collect

_KEPT: Mapping[str, frozenset[str]] = {
    "dashboard": frozenset(
        {
            "annotations",
            "description",
            "editable",
            "graphTooltip",
            "links",
            "panels",
            "refresh",
            "schemaVersion",
            "tags",
            "templating",
            "time",
            "timepicker",
            "timezone",
            "title",
            "uid",
        }
    ),
    "panel": frozenset(
        {
            "collapsed",
            "datasource",
            "description",
            "fieldConfig",
            "gridPos",
            "id",
            "interval",
            "links",
            "maxDataPoints",
            "maxPerRow",
            "options",
            "panels",
            "repeat",
            "repeatDirection",
            "targets",
            "title",
            "transformations",
            "type",
        }
    ),
    "variable": frozenset(
        {
            "allValue",
            "current",
            "datasource",
            "hide",
            "includeAll",
            "label",
            "multi",
            "name",
            "options",
            "query",
            "refresh",
            "regex",
            "sort",
            "type",
        }
    ),
}
"""What Grafana 13 reads; everything else that grafanalib writes is for Grafanas of the past."""

_ROW = frozenset({"collapsed", "gridPos", "id", "panels", "repeat", "title", "type"})


def files(options: Options | None = None) -> dict[str, str]:
    """All files of the set by path relative to the output directory: a JSON per dashboard, and the provisioning."""
    chosen = options or Options()
    texts = {f"{name}.json": _text(model(board, chosen)) for name, board in collect(chosen).items()}
    return {**texts, **provisioning.files(chosen.datasource)}


def model(board: Board, options: Options) -> dict[str, Any]:
    """One dashboard as Grafana stores it."""
    made = core.Dashboard(
        title=board.title,
        uid=board.uid,
        description=board.about,
        tags=[TAG],
        editable=False,
        graphTooltip=core.GRAPH_TOOLTIP_MODE_SHARED_CROSSHAIR,
        annotations=core.Annotations(list(board.annotations)),
        links=[core.DashboardLink(title="streamgauge", tags=[TAG], includeVars=True, keepTime=True, icon="bolt")],
        panels=layout.place(board.rows),
        templating=core.Templating(variables.build(board.choices, options.datasource)),
        refresh="1m",
        schemaVersion=options.schema_version,
        time=core.Time(board.since, "now"),
        timezone="browser",
    )
    text = json.dumps(made, cls=DashboardEncoder)
    if options.schema_version < NEWEST_SCHEMA:
        text = text.replace(f'"{look.BY_SERIES}"', '"palette-classic"')  # they would draw all lines alike
    plain: dict[str, Any] = json.loads(text)
    return _strict(plain)


def write(texts: Mapping[str, str], directory: Path) -> None:
    """Write every file; directories are made when missing."""
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def drift(texts: Mapping[str, str], directory: Path) -> list[str]:
    """What differs between the texts and the directory: changed, missing, and files that should not be there."""
    found = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    differences = [f"missing: {name}" for name in sorted(texts.keys() - found)]
    differences += [f"stray: {name}" for name in sorted(found - texts.keys())]
    same = sorted(texts.keys() & found)
    return differences + [
        f"changed: {name}" for name in same if (directory / name).read_bytes() != texts[name].encode()
    ]


def _text(plain: Mapping[str, Any]) -> str:
    return json.dumps(plain, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def _strict(plain: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = _without_nulls(_only(plain, _KEPT["dashboard"]))
    kept["panels"] = [_panel(panel) for panel in kept["panels"]]
    kept["templating"] = {"list": [_variable(variable) for variable in kept["templating"]["list"]]}
    kept["timepicker"] = {}
    return kept


def _panel(panel: dict[str, Any]) -> dict[str, Any]:
    if panel["type"] == "row":
        return _only(panel, _ROW)
    kept = _only(panel, _KEPT["panel"])
    return {key: value for key, value in kept.items() if value not in ([], "")}


def _variable(variable: dict[str, Any]) -> dict[str, Any]:
    kept = _only(variable, _KEPT["variable"])
    current = variable.get("current", {})
    if variable["type"] == "datasource":
        return {key: value for key, value in kept.items() if key not in ("current", "datasource", "sort")} | (
            {"current": {"text": current["text"], "value": current["value"]}} if "value" in current else {}
        )
    if not variable["multi"]:
        return {key: value for key, value in kept.items() if key != "current"}
    return {**kept, "current": {"text": ["All"], "value": ["$__all"]}}


def _only(given: Mapping[str, Any], wanted: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key in wanted}


def _without_nulls(given: Any) -> Any:
    """Nulls go, but for the one that Grafana wants: the first step of thresholds starts at null."""
    if isinstance(given, dict):
        wanted = "value" if "color" in given else None
        return {key: _without_nulls(value) for key, value in given.items() if value is not None or key == wanted}
    return [_without_nulls(value) for value in given] if isinstance(given, list) else given
