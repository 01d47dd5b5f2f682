"""Metrics of OTLP JSON: name, instrument, unit, labels, buckets, and numbers that agree with each other."""

from math import isfinite
from typing import Any

from streamgauge.schema.check.attributes import Report, complete, read
from streamgauge.schema.check.tables import Shape, Tables
from streamgauge.schema.model import OURS

_DATA = ("sum", "gauge", "histogram", "exponentialHistogram", "summary")


def check_metric(metric: dict[str, Any], tables: Tables, report: Report, path: str, *, own_scope: bool) -> bool:
    """Check one metric; False when it is none of ours: of the standard ones, those of our own scope are."""
    name = metric.get("name", "")
    shape = tables.metrics.get(name)
    if shape is None or not (own_scope or name.startswith(OURS)):
        if name.startswith(OURS):
            report("metric.unknown", path, f"{name} is not in the registry")
        return bool(name.startswith(OURS))
    instrument, data = _instrument(metric)
    if instrument != shape.instrument:
        report("metric.instrument", path, f"{name} is a {instrument}, expected {shape.instrument}")
    if metric.get("unit", "") != shape.unit:
        report("metric.unit", path, f"{name} has unit {metric.get('unit', '')!r}, expected {shape.unit!r}")
    for position, point in enumerate(data.get("dataPoints", ())):
        place = f"{path}.{name}[{position}]"
        _labels(point, shape, tables, report, place)
        _numbers(point, shape, report, place)
    return True


def _instrument(metric: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    kind = next((word for word in _DATA if word in metric), "")
    data = metric.get(kind, {})
    if kind == "sum":
        return ("counter" if data.get("isMonotonic") else "updowncounter"), data
    return {"exponentialHistogram": "histogram"}.get(kind, kind or "metric without data"), data


def _labels(point: dict[str, Any], shape: Shape, tables: Tables, report: Report, path: str) -> None:
    found = read(point.get("attributes", ()), tables.values, report, path)
    complete(found, shape, report, path)
    for key in sorted(found.keys() - shape.known):
        if not key.startswith(OURS):
            report("attribute.misplaced", f"{path}.attributes[{key}]", f"{shape.name} does not list {key}")


def _numbers(point: dict[str, Any], shape: Shape, report: Report, path: str) -> None:
    if shape.instrument != "histogram":
        value = float(point.get("asDouble", point.get("asInt", "nan")))
        if not isfinite(value) or value < 0:
            report("metric.counts", path, f"value {value}")
        return
    if "bucketCounts" not in point:
        return  # exponential, or a histogram of count and sum alone
    counts, bounds = (
        [int(count) for count in point["bucketCounts"]],
        [float(bound) for bound in point.get("explicitBounds", ())],
    )
    if len(counts) != len(bounds) + 1 or sum(counts) != int(point.get("count", 0)):
        report(
            "metric.counts",
            path,
            f"{len(counts)} buckets of {sum(counts)}, {len(bounds)} bounds, count {point.get('count')}",
        )
    missing = sorted(shape.bounds - set(bounds))
    if missing:
        report("metric.buckets", path, f"bounds without {', '.join(map(str, missing))}")
