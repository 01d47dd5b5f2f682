"""The kinds of objectives, one file each, found by module name: `kind: ttft` in the SLO file is `objectives/ttft.py`.

A kind's module defines `KIND`, a subclass of `streamgauge.slo.objective.Objective`. One more kind is one more file.
"""

import importlib
import pkgutil
from functools import cache

from streamgauge.slo.objective import Objective


@cache
def kinds() -> tuple[str, ...]:
    """Names of all kinds, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


@cache
def kind(name: str) -> type[Objective]:
    """The class behind the kind called `name`, which must be one of `kinds()`."""
    found: type[Objective] = importlib.import_module(f"{__name__}.{name}").KIND
    return found
