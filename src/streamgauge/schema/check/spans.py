"""Spans of OTLP JSON: the span of a stream, its attributes, its events and whether all of them tell one story."""

from itertools import pairwise
from typing import Any

from streamgauge import names
from streamgauge.schema.check.attributes import Report, complete, read
from streamgauge.schema.check.tables import Tables
from streamgauge.schema.model import OURS

_CLIENT, _INTERNAL = (3, "SPAN_KIND_CLIENT"), (1, "SPAN_KIND_INTERNAL")
_STATUS = {
    0: "UNSET",
    1: "OK",
    2: "ERROR",
    "STATUS_CODE_UNSET": "UNSET",
    "STATUS_CODE_OK": "OK",
    "STATUS_CODE_ERROR": "ERROR",
}
_FAILED = frozenset({names.Outcome.TRUNCATED, names.Outcome.FAILED, names.Outcome.TIMED_OUT})
_FIRST_OF_A_KIND = (names.TTFT, names.TTFT_REASONING, names.TTFT_TOOL_CALL)
_USAGE = (names.USAGE_INPUT_TOKENS, names.USAGE_OUTPUT_TOKENS)
_TOLERANCE = 0.001
"""Seconds by which wall clock and monotonic clock may disagree within one span."""


def check_span(span: dict[str, Any], tables: Tables, report: Report, path: str) -> bool:
    """Check one span; False when it is none of ours, and then nothing was told of it."""
    told: list[tuple[str, str, str]] = []
    later: Report = lambda *finding: told.append(finding)  # noqa: E731 - a list that looks like a Report
    found = read(span.get("attributes", ()), tables.values, later, path)
    if not any(key.startswith(OURS) for key in found) and not any(rule == "attribute.unknown" for rule, _, _ in told):
        return False
    for finding in told:
        report(*finding)
    if names.RECONCILIATION_VERDICT in found:
        _reconciliation(span, found, tables, report, path)
    else:
        _stream(span, found, tables, report, path)
    return True


def _stream(span: dict[str, Any], found: dict[str, Any], tables: Tables, report: Report, path: str) -> None:
    complete(found, tables.stream, report, path)
    words = [found[key] for key in (names.OPERATION_NAME, names.REQUEST_MODEL) if key in found]
    _identity(span, _CLIENT, " ".join(words), report, path)
    start, end = int(span.get("startTimeUnixNano", 0)), int(span.get("endTimeUnixNano", 0))
    if end < start:
        report("span.times", path, f"start {start}, end {end}")
    _status(span, found, report, path)
    _first_times(found, (end - start) / 1e9, report, path)
    _usage(found, report, path)
    _events(span, found, tables, report, path)


def _reconciliation(span: dict[str, Any], found: dict[str, Any], tables: Tables, report: Report, path: str) -> None:
    complete(found, tables.reconciliation, report, path)
    _identity(span, _INTERNAL, f"reconcile {found[names.RECONCILIATION_VERDICT]}", report, path)
    _events(span, found, tables, report, path)


def _identity(span: dict[str, Any], kinds: tuple[object, ...], name: str, report: Report, path: str) -> None:
    if span.get("kind") not in kinds:
        report("span.kind", f"{path}.kind", f"kind {span.get('kind')!r}, expected {kinds[1]}")
    if span.get("name") != name:
        report("span.name", f"{path}.name", f"{span.get('name')!r}, expected {name!r}")


def _status(span: dict[str, Any], found: dict[str, Any], report: Report, path: str) -> None:
    outcome = found.get(names.OUTCOME)
    status = _STATUS.get(span.get("status", {}).get("code", 0))
    expected = "ERROR" if outcome in _FAILED else "UNSET"
    if outcome is not None and status != expected:
        report("span.status", f"{path}.status", f"{names.OUTCOME}={outcome} with status {status}, expected {expected}")
    if outcome in _FAILED and names.ERROR_TYPE not in found:
        report("span.error_type", f"{path}.attributes", f"{names.OUTCOME}={outcome} without {names.ERROR_TYPE}")


def _first_times(found: dict[str, Any], duration: float, report: Report, path: str) -> None:
    firsts = [(key, found[key]) for key in _FIRST_OF_A_KIND if key in found]
    any_first = found.get(names.TTFT_ANY, 0.0)
    last = found.get(names.TTLT, duration)
    for key, at in firsts:
        if at < any_first:
            report("span.first_times", f"{path}.attributes[{key}]", f"{key}={at} before {names.TTFT_ANY}={any_first}")
        if at > last + _TOLERANCE:
            report("span.first_times", f"{path}.attributes[{key}]", f"{key}={at} after the last content at {last}")
    if last > duration + _TOLERANCE:
        report(
            "span.first_times", f"{path}.attributes[{names.TTLT}]", f"{names.TTLT}={last} after the end at {duration}"
        )


def _usage(found: dict[str, Any], report: Report, path: str) -> None:
    reported = [key for key in _USAGE if key in found]
    provenance = found.get(names.USAGE_PROVENANCE)
    if provenance == names.Provenance.UNKNOWN and reported:
        report("span.usage", f"{path}.attributes", f"{names.USAGE_PROVENANCE}=unknown beside {', '.join(reported)}")
    if provenance == names.Provenance.REPORTED and not reported:
        report("span.usage", f"{path}.attributes", f"{names.USAGE_PROVENANCE}=reported without any usage")


def _events(span: dict[str, Any], found: dict[str, Any], tables: Tables, report: Report, path: str) -> None:
    events = span.get("events", ())
    start, end = int(span.get("startTimeUnixNano", 0)), int(span.get("endTimeUnixNano", 0))
    chunks: list[dict[str, Any]] = []
    before = 0
    for position, event in enumerate(events):
        at, place = int(event.get("timeUnixNano", 0)), f"{path}.events[{position}]"
        if at < before:
            report("event.order", place, f"{event.get('name')} at {at}, after one at {before}")
        if not start <= at <= end:
            report("event.outside", place, f"{event.get('name')} at {at}, span from {start} to {end}")
        before = at
        carried = check_event(event.get("name", ""), event.get("attributes", ()), tables, report, place)
        if event.get("name") == names.EVENT_CHUNK:
            chunks.append(carried)
    dropped = int(span.get("droppedEventsCount", 0))
    if dropped:
        report("span.dropped_events", path, f"{dropped} events dropped")
    elif chunks:
        rows(chunks, found.get(names.CHUNKS), report, f"{path}.events")


def check_event(name: str, pairs: Any, tables: Tables, report: Report, path: str) -> dict[str, Any]:
    """Check the attributes of one span or log event; those of other people's events are not looked at."""
    shape = tables.events.get(name)
    if shape is None:
        if name.startswith(OURS):
            report("event.unknown", path, f"{name} is not in the registry")
        return {}
    carried = read(pairs, tables.values, report, path)
    complete(carried, shape, report, path)
    return carried


_ROW = (names.CHUNK_INDEX, names.CHUNK_COUNT, names.CHUNK_FIRST_OFFSET, names.CHUNK_LAST_OFFSET)


def rows(chunks: list[dict[str, Any]], total: int | None, report: Report, path: str) -> None:
    """Check that a timeline has no hole or overlap, is in order and adds up to `total` chunks (None: not known)."""
    if not all(key in chunk for chunk in chunks for key in _ROW):
        return  # told already: a required attribute is missing or of a wrong type
    read_rows = [tuple(chunk[key] for key in _ROW) for chunk in chunks]
    counted = sum(row[1] for row in read_rows)
    if total is not None and counted != total:
        report("chunk.sum", path, f"chunk events count {counted}, {names.CHUNKS}={total}")
    if read_rows[0][0] != 0:
        report("chunk.index", path, f"the first chunk event begins at index {read_rows[0][0]}")
    for (index, count, _, last), (next_index, _, next_first, _) in pairwise(read_rows):
        if next_index != index + count:
            report("chunk.index", path, f"index {next_index} follows {count} from index {index}")
        if next_first < last:
            report("chunk.offsets", path, f"the event of index {next_index} begins at {next_first}, before {last}")
    for index, _, first, last in read_rows:
        if last < first:
            report("chunk.offsets", path, f"the event of index {index} ends at {last}, before its start at {first}")
