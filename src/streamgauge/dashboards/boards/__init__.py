"""The dashboards, one file each, found by module name: `build(options) -> Board`. One more file, one more dashboard."""

import importlib
import pkgutil
from collections.abc import Callable

from streamgauge.dashboards.board import Board, Options


def collect(options: Options | None = None) -> dict[str, Board]:
    """All dashboards by file name (without ending), in the order of reading."""
    chosen = options or Options()
    built = {}
    for module in pkgutil.iter_modules(__path__):
        build: Callable[[Options], Board] = importlib.import_module(f"{__name__}.{module.name}").build
        built[module.name.replace("_", "-")] = build(chosen)
    return dict(sorted(built.items(), key=lambda item: item[1].place))
