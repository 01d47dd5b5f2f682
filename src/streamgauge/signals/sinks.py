"""Sinks: where whole reports go besides OpenTelemetry. A sink is any callable that takes a `StreamReport`."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

from streamgauge.analysis import StreamReport
from streamgauge.errors import ConfigError

Sink = Callable[[StreamReport], None]


class JsonlSink:
    """Appends every report to a file as one line of JSON; each line is written whole, by one write."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        try:
            self.path.touch()
        except OSError as error:
            raise ConfigError("jsonl", str(path), f"a file that can be written ({error.strerror})") from None

    def __call__(self, report: StreamReport) -> None:
        """Write one report."""
        line = json.dumps(report.to_dict(), ensure_ascii=False) + "\n"
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(line)
