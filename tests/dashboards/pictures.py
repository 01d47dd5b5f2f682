"""Pictures of dashboards: Grafana's own panels, the answers of a real Prometheus, headless Chromium.

A dashboard and its answers come in, a PNG goes out. Run as a program it draws those of the README:
`python -m tests.dashboards.pictures docs/images`.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.dashboards import asking, node, reading, story
from tests.slo.conftest import find_tools

from streamgauge.slo import replay
from streamgauge.slo.rehearsal import Rehearsal

CELL, GAP, MARGIN, TITLE = 38, 8, 16, 40
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --allow-file-access-from-files "
    "--virtual-time-budget=15000"
)
_PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="draw.css">
<div id="root"></div><script>window.BOARD = {board}</script><script type="module" src="draw.js"></script>"""

Line = list[reading.Json]


@dataclass(frozen=True)
class Picture:
    """Which panels of a dashboard to draw: those that `wanted` accepts, so wide."""

    board: str
    wanted: Callable[[reading.Json], bool]
    width: int = 1500
    title: str = ""
    since: str = ""


def row(*titles: str) -> Callable[[reading.Json], bool]:
    """Panels of the rows that begin with one of these words."""
    return lambda panel: str(panel["row"]).startswith(titles)


README: Mapping[str, Picture] = {
    "http-says-users-got": Picture("streams", row("HTTP says"), title="HTTP says / users got"),
    "slo-overview": Picture("slo-overview", lambda _panel: True, title="1 SLO overview", since="now-7h"),
    "slo-detail": Picture("slo-detail", lambda _panel: True, title="2 SLO detail", since="now-7h"),
    "streams": Picture("streams", lambda _panel: True, title="3 Streams"),
    "effects": Picture("effects", lambda _panel: True, title="4 Cancel and side effects"),
    "compare": Picture("compare", lambda _panel: True, title="5 Compare, and the observer"),
}


def bundle(directory: Path) -> None:
    """The page's program and style, as one file each."""
    (directory / "node_modules").symlink_to(node.modules() / "node_modules")
    for source in ("draw.jsx", "grids.jsx"):
        shutil.copy(node.SOURCES / source, directory / source)
    options = (
        "--bundle",
        "--format=esm",
        "--minify",
        "--jsx=automatic",
        "--outfile=draw.js",
        '--define:process.env.NODE_ENV="production"',
    )
    loaders = (
        "--loader:.woff2=dataurl",
        "--loader:.woff=dataurl",
        "--loader:.svg=dataurl",
        "--loader:.ttf=empty",
        "--log-level=error",
    )
    done = node.run("esbuild", "draw.jsx", *options, *loaders, cwd=directory)
    assert done.returncode == 0, done.stderr


def chromium() -> str:
    """The browser, or a skip."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        node.missing("chromium is missing: apt-get install chromium")
    return str(found)


def draw(picture: Picture, server: Rehearsal, directory: Path, out: Path) -> int:
    """One PNG; returns its height in pixels."""
    board = reading.load()[picture.board]
    span = asking.span_of({"time": {"from": picture.since}} if picture.since else board, story.MONTH.end)
    placed, height = place(board, picture)
    shown = [
        {**each, "answers": answers(each["panel"], picture.board, server, span), "step": span.of(each["panel"]).step}
        for each in placed
    ]
    data = {"title": picture.title, "panels": shown, "from": span.start, "to": span.end}
    (directory / "page.html").write_text(_PAGE.format(board=json.dumps(data).replace("</", "<\\/")), "utf-8")
    shoot(directory / "page.html", out, picture.width, height)
    return height


def answers(panel: reading.Json, board: str, server: Rehearsal, span: asking.Span) -> list[reading.Json]:
    """What Prometheus says to each query of a panel."""
    return [
        {
            "target": target,
            "result": asking.ask(
                server.url, reading.Target(board, panel, target), span, {**CHOSEN, **panel.get("chosen", {})}
            ).result,
        }
        for target in panel.get("targets", [])
    ]


CHOSEN = {"slo": "stream-availability"}


def place(board: reading.Json, picture: Picture) -> tuple[list[reading.Json], int]:
    """Panels line by line, each line stretched to the full width; and the height of the page."""
    top, placed = (MARGIN + TITLE if picture.title else MARGIN), []
    for title, lines in rows(board, picture):
        placed.append({"panel": title, "place": {"left": MARGIN, "top": top, "width": 0, "height": CELL}})
        top += CELL
        for line in lines:
            placed += stretch(line, top, picture.width - 2 * MARGIN)
            top += max(panel["gridPos"]["h"] for panel in line) * CELL
    return placed, top + MARGIN


def rows(board: reading.Json, picture: Picture) -> Iterator[tuple[reading.Json, list[Line]]]:
    """Rows with the lines of panels that are wanted; a repeated row once per model."""
    for title, lines in _rows(board, picture):
        if "repeat" not in title:
            yield title, lines
            continue
        for model in story.MODELS:
            own = [[{**panel, "chosen": {"model": model}} for panel in line] for line in lines]
            yield {**title, "title": title["title"].replace("$model", model)}, own


def _rows(board: reading.Json, picture: Picture) -> Iterator[tuple[reading.Json, list[Line]]]:
    title: reading.Json = {}
    lines: dict[int, Line] = {}
    for panel in [*board["panels"], {"type": "row"}]:
        if panel["type"] == "row":
            if lines:
                yield title, list(lines.values())
            title, lines = panel, {}
        elif picture.wanted({**panel, "row": title["title"]}):
            lines.setdefault(panel["gridPos"]["y"], []).append(panel)


def stretch(line: Line, top: int, width: int) -> list[reading.Json]:
    """The panels of a line side by side over the whole width."""
    total, left, placed = sum(panel["gridPos"]["w"] for panel in line), MARGIN, []
    for panel in line:
        own = width * panel["gridPos"]["w"] // total
        at = {"left": left, "top": top, "width": own - GAP, "height": panel["gridPos"]["h"] * CELL - GAP}
        placed.append({"panel": panel, "place": at})
        left += own
    return placed


def shoot(page: Path, out: Path, width: int, height: int) -> None:
    """A screenshot by the real browser."""
    with tempfile.TemporaryDirectory() as profile:
        command = [chromium(), *FLAGS.split(), f"--user-data-dir={profile}", f"--window-size={width},{height}"]
        done = subprocess.run(
            [*command, f"--screenshot={out}", page.as_uri()], capture_output=True, text=True, timeout=100
        )
    assert out.exists(), done.stderr[-2000:]


def text_of(page: Path) -> str:
    """What the page says once it is drawn, as HTML."""
    with tempfile.TemporaryDirectory() as profile:
        command = [chromium(), *FLAGS.split(), f"--user-data-dir={profile}", "--window-size=1500,4000", "--dump-dom"]
        return subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=100, check=True).stdout


@contextlib.contextmanager
def served(major: int, directory: Path) -> Iterator[Rehearsal]:
    """A Prometheus that knows the story."""
    tools = find_tools(major)
    server = Rehearsal(tools.prometheus, tools.promtool, directory)
    story.tell(server, replay.EXPORTER if major == 2 else replay.COLLECTOR, directory)
    with server:
        yield server


def main(out: Path) -> None:
    """Draw all pictures of the README."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, served(3, Path(scratch) / "prometheus") as server:
        bundle(Path(scratch))
        for name, picture in README.items():
            height = draw(picture, server, Path(scratch), out / f"{name}.png")
            print(f"{out / name}.png  {picture.width} x {height}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
