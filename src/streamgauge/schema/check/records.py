"""Our own records, one a line: reports, reconciliations, the demo's summary; by JSON Schema, then what none can say."""

from collections.abc import Callable
from functools import cache
from typing import Any

from streamgauge import names
from streamgauge.schema.check.attributes import Report
from streamgauge.schema.check.shapes import Check, record_shape
from streamgauge.schema.check.spans import rows

_shape = cache(record_shape)
_STANDS = frozenset({"committed", "reconciled_committed", "compensation_requested", "compensation_failed"})
_NOT_STOPPED = frozenset({None, "detached", "completed", "length_limited"})


def check_record(record: dict[str, Any], report: Report) -> bool:
    """Check one record; False when it is none of ours."""
    named = str(record.get("type") or record.get("record") or "").split("/", maxsplit=1)[0]
    known = _RECORDS.get(named)
    if known is None:
        return False
    name, deeper = known
    if not _counted(_shape(name), record, report):
        deeper(record, report)
    return True


def _counted(shape: Check, record: dict[str, Any], report: Report) -> int:
    """Number of shape errors; what follows may rely on the shape when there is none."""
    told = 0

    def counting(rule: str, path: str, message: str) -> None:
        nonlocal told
        told += rule == "record.field"
        report(rule, path, message)

    shape(record, counting, "$")
    return told


def _stream(record: dict[str, Any], report: Report) -> None:
    _version(record, report)
    if record["timeline"]:
        rows([_row(row) for row in record["timeline"]], record["chunks"], report, "$.timeline")
    end = record["duration_s"]
    last = end if record["ttlt_s"] is None else record["ttlt_s"]
    for key in ("ttft_s", "ttft_reasoning_s", "ttft_tool_call_s"):
        at = record[key]
        if at is not None and not (record["ttft_any_s"] or 0.0) <= at <= last:
            report(
                "span.first_times", f"$.{key}", f"{at} is not between the first event and the last content at {last}"
            )
    if last > end:
        report("span.first_times", "$.ttlt_s", f"{last} after the end at {end}")


def _version(record: dict[str, Any], report: Report) -> None:
    if str(record["schema"]).split(".")[0] != names.SCHEMA_VERSION.split(".")[0]:
        report("record.version", "$.schema", f"{record['schema']}, checked against {names.SCHEMA_VERSION}")


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        names.CHUNK_INDEX: row["index"],
        names.CHUNK_COUNT: row["count"],
        names.CHUNK_FIRST_OFFSET: row["first_s"],
        names.CHUNK_LAST_OFFSET: row["last_s"],
    }


def _reconciliation(record: dict[str, Any], report: Report) -> None:
    seen: dict[str, int] = {}
    for effect in (*record["effects"], *record["undeclared"]):
        seen[effect["state"]] = seen.get(effect["state"], 0) + 1
    if seen != {state: count for state, count in record["states"].items() if count}:
        report("record.states", "$.states", f"{record['states']}, counted {seen}")
    verdict, outcome = record["verdict"], record["outcome"]
    stopped = record["stopped_ns"] is not None or outcome not in _NOT_STOPPED
    standing = any(effect["state"] in _STANDS for effect in record["effects"])
    if (verdict == "partial_commit" and not (stopped and standing)) or (verdict == "clean" and standing):
        report("record.verdict", "$.verdict", f"{verdict} with outcome {outcome}, an effect stands: {standing}")
    if verdict in ("consistent", "effect_failed") and stopped:
        report("record.verdict", "$.verdict", f"{verdict} although the stream was stopped, outcome {outcome}")


_RECORDS: dict[str, tuple[str, Callable[[dict[str, Any], Report], None]]] = {
    "streamgauge.stream": ("stream", _stream),
    names.EVENT_RECONCILIATION: ("reconciliation", _reconciliation),
    "streamgauge.demo": ("demo", _version),
}
"""First word of a record -> its JSON Schema, and what is checked beyond it."""
