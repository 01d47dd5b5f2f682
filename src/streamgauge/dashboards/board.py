"""A dashboard before it is JSON: rows of panels, what the reader may choose, and the options of the whole set.

Vocabulary of this room: values only, no behaviour.
"""

from dataclasses import dataclass, field
from typing import Any

from streamgauge import slo
from streamgauge.dashboards.variables import Choice
from streamgauge.errors import ConfigError

TAG = "streamgauge"
OLDEST_SCHEMA, NEWEST_SCHEMA = 39, 42
"""Dashboard schema versions from Grafana 11 to 13; the JSON is the same in all, but for the palette of lines."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may decide: uid of the data source to start with, schema version, where the runbooks are."""

    datasource: str | None = None
    schema_version: int = NEWEST_SCHEMA
    runbooks: str = field(default_factory=lambda: slo.load().runbooks)

    def __post_init__(self) -> None:
        if not OLDEST_SCHEMA <= self.schema_version <= NEWEST_SCHEMA:
            raise ConfigError(
                "schema_version", self.schema_version, f"{OLDEST_SCHEMA} to {NEWEST_SCHEMA}", "dashboards"
            )


@dataclass(frozen=True, slots=True)
class Row:
    """A titled row; with `repeat` there is one per value of that variable."""

    title: str
    panels: tuple[Any, ...]
    repeat: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard; `place` orders the set, `since` is the start of its time range."""

    uid: str
    place: int
    title: str
    about: str
    choices: tuple[Choice, ...]
    rows: tuple[Row, ...]
    annotations: tuple[dict[str, Any], ...] = ()
    since: str = "now-6h"
