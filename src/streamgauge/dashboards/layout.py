"""Rows of panels to Grafana's grid: places from left to right, and ids that stay when panels come and go.

A board comes in, placed grafanalib panels go out. An id is a checksum of row and title: links to a panel survive a
panel above it.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from grafanalib import core

from streamgauge.dashboards.board import Row

WIDTH = 24


def place(rows: Iterable[Row]) -> list[Any]:
    """Every panel in its place, below its row's title."""
    placed: list[Any] = []
    top = 0
    for row in rows:
        placed.append(_title(row, top))
        top += 1
        for panel in row.panels:
            panel.id = identity(row.title, panel.title)
        top = _flow(row.panels, top)
        placed += row.panels
    _refuse_duplicates(placed)
    return placed


def identity(row: str, title: str) -> int:
    """A panel's id, from 1 to a million."""
    return zlib.crc32(f"{row}/{title}".encode()) % 1_000_000 + 1


def _title(row: Row, top: int) -> core.RowPanel:
    repeat = core.Repeat(variable=row.repeat) if row.repeat else core.Repeat()
    return core.RowPanel(
        title=row.title, id=identity(row.title, ""), gridPos=core.GridPos(h=1, w=WIDTH, x=0, y=top), repeat=repeat
    )


def _flow(panels: Iterable[Any], top: int) -> int:
    for line in _lines(panels):
        left = 0
        for panel in line:
            panel.gridPos.x, panel.gridPos.y = left, top
            left += panel.gridPos.w
        top += max(panel.gridPos.h for panel in line)
    return top


def _lines(panels: Iterable[Any]) -> Iterator[list[Any]]:
    line: list[Any] = []
    for panel in panels:
        if sum(each.gridPos.w for each in line) + panel.gridPos.w > WIDTH:
            yield line
            line = []
        line.append(panel)
    if line:
        yield line


def _refuse_duplicates(placed: Iterable[Any]) -> None:
    seen: dict[int, str] = {}
    for panel in placed:
        if panel.id in seen:
            raise ValueError(f"panels {seen[panel.id]!r} and {panel.title!r} have the same id: rename one")
        seen[panel.id] = panel.title
