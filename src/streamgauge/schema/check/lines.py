"""The driver: bytes in, findings out, one line at a time."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from streamgauge import names
from streamgauge.schema.check.findings import Finding
from streamgauge.schema.check.metrics import check_metric
from streamgauge.schema.check.reading import LINE_LIMIT, parse, whole
from streamgauge.schema.check.records import check_record
from streamgauge.schema.check.spans import check_event, check_span
from streamgauge.schema.check.tables import compiled
from streamgauge.schema.model import OURS, Registry, current

_WRONG_SHAPE = (TypeError, AttributeError, KeyError, ValueError, OverflowError, RecursionError)
"""What walking a value raises when it is not of the shape that it was taken for."""


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
            value = parse(line)
        except (ValueError, RecursionError) as error:
            rule = "line.json" if line.endswith(b"\n") else "line.truncated"
            return [Finding(rule, f"{type(error).__name__}: {error}"[:200], self._line)]
        return self.value(value)

    def start_at(self, number: int) -> None:
        """Call the next line `number`."""
        self._line = number - 1

    def take_seen(self) -> Counter[str]:
        """What was counted since the last time."""
        taken, self.seen = self.seen, Counter()
        return taken

    def value(self, value: Any) -> list[Finding]:
        """Findings of one parsed value: an OTLP export request or a record of ours."""
        self._found, self._owner = [], ""
        roots = [walk for key, walk in _ROOTS.items() if isinstance(value, dict) and key in value]
        for walk in roots:
            walk(self, value)
        if not roots and isinstance(value, dict) and self._guarded(self._record, value, "$"):
            self.seen["records"] += 1
        elif not roots:
            what = f"an object with {', '.join(list(value)[:5])}" if isinstance(value, dict) else type(value).__name__
            self._report("line.unrecognised", "$", what[:200])
        return self._found

    def _report(self, rule: str, path: str, message: str) -> None:
        self._found.append(Finding(rule, message, self._line, path, self._owner))

    def _guarded(self, check: Callable[..., bool], *rest: Any) -> bool:
        """Run one check, whose last argument is its path; what it cannot walk becomes a finding."""
        try:
            return check(*rest)
        except _WRONG_SHAPE as error:
            self._report("otlp.shape", rest[-1], f"{type(error).__name__}: {error}"[:200])
            return True

    def _record(self, value: dict[str, Any], _path: str) -> bool:
        return check_record(value, self._report)

    def _spans(self, root: dict[str, Any]) -> None:
        for scope, path, own in self._scopes(root, "resourceSpans", "scopeSpans"):
            for position, span in enumerate(self._listed(scope, "spans", path)):
                ours = self._guarded(self._span, span, own, f"{path}.spans[{position}]")
                self.seen["spans" if ours else "foreign spans"] += 1
                self._owner = ""

    def _span(self, item: Any, own: bool, path: str) -> bool:
        span = whole(item)
        self._owner = str(span.get("spanId", ""))
        ours = check_span(span, self.tables, self._report, path)
        if own and not ours:
            self._report("attribute.missing", path, "a span of our scope without any attribute of ours")
        return ours

    def _metrics(self, root: dict[str, Any]) -> None:
        for scope, path, own in self._scopes(root, "resourceMetrics", "scopeMetrics"):
            for position, metric in enumerate(self._listed(scope, "metrics", path)):
                ours = self._guarded(self._metric, metric, own, f"{path}.metrics[{position}]")
                self.seen["metrics" if ours else "foreign metrics"] += 1

    def _metric(self, item: Any, own: bool, path: str) -> bool:
        return check_metric(whole(item), self.tables, self._report, path, own_scope=own)

    def _logs(self, root: dict[str, Any]) -> None:
        for scope, path, _ in self._scopes(root, "resourceLogs", "scopeLogs"):
            for position, log in enumerate(self._listed(scope, "logRecords", path)):
                ours = self._guarded(self._log, log, f"{path}.logRecords[{position}]")
                self.seen["events" if ours else "foreign logs"] += 1

    def _log(self, item: Any, path: str) -> bool:
        log = whole(item)
        name = log.get("eventName") or ""
        if not name.startswith(OURS):
            return False
        carried = check_event(name, log.get("attributes", ()), self.tables, self._report, path)
        shape = self.tables.events.get(name)
        for key in sorted(shape.on_log - carried.keys()) if shape is not None else ():
            self._report("attribute.missing", f"{path}.attributes[{key}]", f"{name} requires {key} as a log event")
        return True

    def _scopes(self, root: dict[str, Any], outer: str, inner: str) -> Iterator[tuple[dict[str, Any], str, bool]]:
        for first, resource in enumerate(self._listed(root, outer, "$")):
            for second, scope in enumerate(self._listed(resource, inner, f"{outer}[{first}]")):
                path = f"{outer}[{first}].{inner}[{second}]"
                own = self._guarded(self._own_scope, scope, path)
                yield scope, path, own

    def _own_scope(self, scope: dict[str, Any], path: str) -> bool:
        if (scope.get("scope") or {}).get("name") != names.SCOPE:
            return False
        given = scope.get("schemaUrl", "")
        if _major(given) != _major(self.tables.url):
            self._report("scope.schema_url", path, f"schema URL {given!r}, expected {self.tables.url}")
        return True

    def _listed(self, holder: Any, key: str, path: str) -> list[Any]:
        value = holder.get(key, []) if isinstance(holder, dict) else None
        if isinstance(value, list):
            return value
        self._report("otlp.shape", f"{path}.{key}", "expected a list of objects")
        return []


def _major(url: str) -> str:
    base, _, version = url.rpartition("/")
    return f"{base}/{version.split('.')[0]}"


_ROOTS = {"resourceSpans": Checker._spans, "resourceMetrics": Checker._metrics, "resourceLogs": Checker._logs}
