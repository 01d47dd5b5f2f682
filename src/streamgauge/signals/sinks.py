"""Sinks: where whole reports go besides OpenTelemetry. A sink is any callable that takes a `StreamReport`."""

import json
from collections.abc import Callable
from pathlib import Path

from streamgauge.analysis import StreamReport
from streamgauge.errors import ConfigError

Sink = Callable[[StreamReport], None]


class JsonlSink:
    """Appends every report to a file as one line of JSON; each line is written whole, by one write."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.path.touch()
        except OSError as error:
            raise ConfigError("jsonl", str(path), f"a file that can be written ({error.strerror})") from None

    def __call__(self, report: StreamReport) -> None:
        """Write one report."""
        line = json.dumps(report.to_dict(), ensure_ascii=False) + "\n"
        # unbuffered: one write at the end of the file, whole without a lock, which a fork could leave held for ever
        with self.path.open("ab", buffering=0) as file:
            file.write(line.encode("utf-8", "backslashreplace"))
