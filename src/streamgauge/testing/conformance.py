"""Does an instrumentation tell the truth about streams? Runs it through the table of cases and scores what it recorded.

For an emitter of this schema, such as streamgauge itself:

    exporter = InMemorySpanExporter()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    gauge = streamgauge.instrument(tracer_provider=tracers, settings=Settings(stall_responding=0.8))

    def adapter(play):
        exporter.clear()
        play()
        gauge.flush()
        return records(exporter.get_finished_spans())

    with Provider() as provider:
        print(run(adapter, provider.base_url).text())

Any other instrumentation needs an adapter that turns what it emitted into records: mappings with the keys of
`cases.JUDGED`, one for each stream that it saw.
"""

import gc
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from streamgauge import names
from streamgauge.testing.cases import APIS, JUDGED, Case, table
from streamgauge.testing.driver import BaseUrl, play

Record = Mapping[str, Any]
Adapter = Callable[[Callable[[], None]], Iterable[Record]]
"""Gets a function that plays one stream; plays it and returns what was recorded of it."""

_KEYS = {
    "outcome": names.OUTCOME,
    "failure_mode": names.FAILURE_MODE,
    "findings": names.FINDINGS,
    "error_type": names.ERROR_TYPE,
    "initiator": names.INITIATOR,
    "http_status": names.HTTP_STATUS_CODE,
}


@dataclass(frozen=True, slots=True)
class Result:
    """One case on one API: what was expected, what was recorded, and which keys are wrong."""

    case: Case
    api: str
    records: tuple[Record, ...]
    wrong: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether exactly one record says exactly what happened."""
        return not self.wrong


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The results of a run."""

    results: tuple[Result, ...]

    @property
    def score(self) -> float:
        """Share of the cells that are wholly right, 0 to 1."""
        return sum(result.right for result in self.results) / max(len(self.results), 1)

    def by_key(self) -> dict[str, tuple[int, int]]:
        """Key -> cells in which it is right, cells in which it is judged; `record` stands for exactly one record."""
        counted = {key: [0, 0] for key in ("record", *JUDGED)}
        for result in self.results:
            for key in judged(result.case.record(result.api)):
                counted[key][0] += key not in result.wrong and "record" not in result.wrong
                counted[key][1] += 1
        return {key: (right, total) for key, (right, total) in counted.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain values: score, counts by key, a row a cell."""
        rows = [
            {
                "case": result.case.name,
                "api": result.api,
                "right": result.right,
                "wrong": list(result.wrong),
                "expected": dict(result.case.record(result.api)),
                "recorded": [dict(record) for record in result.records],
            }
            for result in self.results
        ]
        return {"score": self.score, "by_key": {key: list(pair) for key, pair in self.by_key().items()}, "rows": rows}

    def text(self) -> str:
        """The report in words: the score, the counts by key, and a line for each cell that is wrong."""
        lines = [f"{sum(r.right for r in self.results)} of {len(self.results)} cells right ({self.score:.1%})"]
        lines += [f"  {key:14}{right:5} of {total}" for key, (right, total) in self.by_key().items() if total]
        lines += [f"  wrong: {_line(result)}" for result in self.results if not result.right]
        return "\n".join(lines)


def run(adapter: Adapter, base_url: BaseUrl, *cases: str, apis: Iterable[str] = APIS) -> Scorecard:
    """Play every case (or those named) on every API and judge what the adapter returns."""
    chosen = table().named(*cases)
    gc.freeze()  # the driver collects after every stream; what is here already need not be looked at each time
    try:
        return Scorecard(tuple(_result(adapter, base_url, case, api) for api in apis for case in chosen))
    finally:
        gc.unfreeze()


def _result(adapter: Adapter, base_url: BaseUrl, case: Case, api: str) -> Result:
    records = tuple(adapter(lambda: play(case, api, base_url)))
    return Result(case, api, records, _wrong(case.record(api), records))


def _wrong(expected: Record, records: tuple[Record, ...]) -> tuple[str, ...]:
    if len(records) != 1:
        return ("record",)
    (record,) = records
    return tuple(key for key in judged(expected) if key != "record" and not _same(expected.get(key), record.get(key)))


def judged(expected: Record) -> tuple[str, ...]:
    """The keys that a case is judged by."""
    return ("record", *(key for key in JUDGED if key in expected or key == "failure_mode"))


def _same(expected: Any, seen: Any) -> bool:
    if isinstance(expected, list):
        return set(expected) == set(seen or ())
    return bool(expected == seen)


def records(spans: Iterable[ReadableSpan]) -> list[Record]:
    """The records of an emitter of this schema: one for each finished span of a stream."""
    return [_record(span.attributes or {}) for span in spans if names.OUTCOME in (span.attributes or {})]


def _record(attributes: Mapping[str, Any]) -> Record:
    return {key: attributes.get(name) for key, name in _KEYS.items()}


def _line(result: Result) -> str:
    expected, seen = result.case.record(result.api), result.records
    if "record" in result.wrong:
        return f"{result.api} {result.case.name}: {len(seen)} records"
    told = (f"{key} {seen[0].get(key)!r} for {expected.get(key)!r}" for key in result.wrong)
    return f"{result.api} {result.case.name}: {', '.join(told)}"
