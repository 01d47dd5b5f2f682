"""The table of faults and exits, as data that belongs to nobody: `cases.json`, read into frozen rows.

A case says what the provider does (`fault`, a name of the fault-injecting provider), how the reader leaves (`exit`,
a name of `driver.EXITS`) and what an honest observer records. Other languages can read the file as it is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from streamgauge.errors import ConfigError

APIS = ("chat", "responses", "messages")
FILE = Path(__file__).with_name("cases.json")
JUDGED = ("outcome", "failure_mode", "findings", "error_type", "initiator", "http_status")
"""What a record is compared by. A key that a case does not expect is not judged, but a failure mode is then none."""


@dataclass(frozen=True, slots=True)
class Case:
    """One row: `expected` holds a record per API, or one under `all`."""

    name: str
    what: str
    fault: str
    exit: str
    expected: Mapping[str, Mapping[str, Any]]

    def record(self, api: str) -> Mapping[str, Any]:
        """What an honest observer records of this case on this API."""
        return self.expected.get(api) or self.expected["all"]


@dataclass(frozen=True, slots=True)
class Table:
    """All cases, and the conditions they hold under: `stall_s` for the observer, the rest for provider and reader."""

    cases: tuple[Case, ...]
    stall_s: float
    read_timeout_s: float
    script: Mapping[str, Any]

    def named(self, *names: str) -> tuple[Case, ...]:
        """The cases of these names, all without any; ConfigError for one that is not there."""
        known = {case.name: case for case in self.cases}
        for name in names:
            if name not in known:
                raise ConfigError("case", name, f"one of {', '.join(known)}")
        return tuple(known[name] for name in names) or self.cases


@cache
def table() -> Table:
    """The table as shipped."""
    raw = json.loads(FILE.read_text("utf-8"))
    cases = tuple(Case(**row) for row in raw["cases"])
    return Table(cases, raw["stall_s"], raw["read_timeout_s"], raw["script"])
