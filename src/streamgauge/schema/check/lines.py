"""The driver: bytes in, findings out, one line at a time."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from streamgauge import names
from streamgauge.schema.check.attributes import Report
from streamgauge.schema.check.findings import Finding
from streamgauge.schema.check.metrics import check_metric
from streamgauge.schema.check.records import check_record
from streamgauge.schema.check.spans import check_event, check_span
from streamgauge.schema.check.tables import compiled
from streamgauge.schema.model import OURS, Registry, current

LINE_LIMIT = 256 * 1024 * 1024
_WRONG_SHAPE = (TypeError, AttributeError, KeyError, ValueError, OverflowError, RecursionError)
"""What walking a value raises when it is not of the shape that it was taken for."""


def read_lines(stream: BinaryIO, limit: int = LINE_LIMIT) -> Iterator[bytes]:
    """Lines with their newlines; one longer than `limit` comes cut off at `limit` + 1 bytes, its rest is skipped."""
    while line := stream.readline(limit + 1):
        yield line
        while len(line) > limit and not line.endswith(b"\n"):
            line = stream.readline(limit + 1)
            if not line:
                return


class Checker:
    """Checks lines and parsed values against one registry; `seen` counts what it saw, such as foreign spans."""

    def __init__(self, registry: Registry | None = None, limit: int = LINE_LIMIT) -> None:
        self.tables = compiled(registry or current())
        self.limit = limit
        self.seen: Counter[str] = Counter()
        self._line = 0
        self._owner = ""
        self._found: list[Finding] = []

    def lines(self, lines: Iterable[bytes]) -> Iterator[Finding]:
        """Findings of all lines, as they are read."""
        for line in lines:
            yield from self.line(line)

    def line(self, line: bytes) -> list[Finding]:
        """Findings of the next line."""
        self._line += 1
        self.seen["lines"] += 1
        if len(line) > self.limit:
            return [Finding("line.too_long", f"longer than {self.limit} bytes", self._line)]
        if not line.strip():
            return []
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            rule = "line.json" if line.endswith(b"\n") else "line.truncated"
            return [Finding(rule, f"{type(error).__name__}: {error}"[:200], self._line)]
        return self.value(value)

    def value(self, value: Any) -> list[Finding]:
        """Findings of one parsed value: an OTLP export request or a record of ours."""
        self._found, self._owner = [], ""
        if not isinstance(value, dict):
            self._report("line.unrecognised", "$", f"a JSON {type(value).__name__}")
        else:
            known = [walk for key, walk in _ROOTS.items() if key in value]
            for walk in known:
                walk(self, value)
            if not known and not self._guarded(check_record, value, self._report):
                self._report(
                    "line.unrecognised", "$", f"an object with {', '.join(list(value)[:5]) or 'nothing in it'}"
                )
            elif not known:
                self.seen["records"] += 1
        return self._found

    def _report(self, rule: str, path: str, message: str) -> None:
        self._found.append(Finding(rule, message, self._line, path, self._owner))

    def _guarded(self, check: Any, value: Any, *rest: Any, **named: Any) -> bool:
        """Run one check over one value; a value of a shape that OTLP does not know becomes a finding."""
        try:
            return bool(check(value, *rest, **named))
        except _WRONG_SHAPE as error:
            self._report(
                "otlp.shape", rest[-1] if isinstance(rest[-1], str) else "$", f"{type(error).__name__}: {error}"[:200]
            )
            return True

    def _spans(self, root: dict[str, Any]) -> None:
        for scope, path, own in self._scopes(root, "resourceSpans", "scopeSpans"):
            for position, span in enumerate(self._listed(scope, "spans", path)):
                self._owner = str(span.get("spanId", "")) if isinstance(span, dict) else ""
                place = f"{path}.spans[{position}]"
                ours = self._guarded(check_span, span, self.tables, self._report, place)
                self.seen["spans" if ours else "foreign spans"] += 1
                self._owner = ""
                if own and not ours:
                    self._report("attribute.missing", place, "a span of our scope without any attribute of ours")

    def _metrics(self, root: dict[str, Any]) -> None:
        for scope, path, own in self._scopes(root, "resourceMetrics", "scopeMetrics"):
            for position, metric in enumerate(self._listed(scope, "metrics", path)):
                place = f"{path}.metrics[{position}]"
                ours = self._guarded(_metric, metric, own, self.tables, self._report, place)
                self.seen["metrics" if ours else "foreign metrics"] += 1

    def _logs(self, root: dict[str, Any]) -> None:
        for scope, path, _ in self._scopes(root, "resourceLogs", "scopeLogs"):
            for position, log in enumerate(self._listed(scope, "logRecords", path)):
                ours = self._guarded(_log, log, self.tables, self._report, f"{path}.logRecords[{position}]")
                self.seen["events" if ours else "foreign logs"] += 1

    def _scopes(self, root: dict[str, Any], outer: str, inner: str) -> Iterator[tuple[dict[str, Any], str, bool]]:
        for first, resource in enumerate(self._listed(root, outer, "$")):
            for second, scope in enumerate(self._listed(resource, inner, f"{outer}[{first}]")):
                path = f"{outer}[{first}].{inner}[{second}]"
                own = self._guarded(_own_scope, scope, self.tables.url, self._report, path)
                yield scope, path, own

    def _listed(self, holder: Any, key: str, path: str) -> list[Any]:
        value = holder.get(key, []) if isinstance(holder, dict) else None
        if isinstance(value, list):
            return value
        self._report("otlp.shape", f"{path}.{key}", "expected a list of objects")
        return []


def _own_scope(scope: dict[str, Any], url: str, report: Report, path: str) -> bool:
    if (scope.get("scope") or {}).get("name") != names.SCOPE:
        return False
    given = scope.get("schemaUrl", "")
    if _major(given) != _major(url):
        report("scope.schema_url", path, f"schema URL {given!r}, expected {url}")
    return True


def _major(url: str) -> str:
    base, _, version = url.rpartition("/")
    return f"{base}/{version.split('.')[0]}"


def _metric(metric: dict[str, Any], own: bool, tables: Any, report: Report, path: str) -> bool:
    return check_metric(metric, tables, report, path, own_scope=own)


def _log(log: dict[str, Any], tables: Any, report: Report, path: str) -> bool:
    name = log.get("eventName") or ""
    if not name.startswith(OURS):
        return False
    carried = check_event(name, log.get("attributes", ()), tables, report, path)
    shape = tables.events.get(name)
    for key in sorted(shape.on_log - carried.keys()) if shape is not None else ():
        report("attribute.missing", f"{path}.attributes[{key}]", f"{name} requires {key} as a log event")
    return True


_ROOTS = {"resourceSpans": Checker._spans, "resourceMetrics": Checker._metrics, "resourceLogs": Checker._logs}
