"""Every rule of the checker, as a table: what it is called, how much it matters, and what to do about it."""

from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any


class Severity(IntEnum):
    """How much a finding matters."""

    INFO = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that the checker looks for: `summary` says what is wrong when it is found, `hint` what to do."""

    severity: Severity
    summary: str
    hint: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of one rule: where (`line` from 1, `path` inside it, `span_id` or stream), and what was seen there."""

    rule: str
    message: str
    line: int = 0
    path: str = ""
    span_id: str = ""

    @property
    def severity(self) -> Severity:
        """That of its rule."""
        return RULES[self.rule].severity

    @property
    def hint(self) -> str:
        """That of its rule."""
        return RULES[self.rule].hint

    def to_dict(self) -> dict[str, Any]:
        """Plain values under stable names."""
        return {"severity": self.severity.name.lower(), **asdict(self), "hint": self.hint}

    def __str__(self) -> str:
        owner = f" span {self.span_id}" if self.span_id else ""
        return f"{self.line}: {self.severity.name.lower()} {self.rule}{owner} {self.path}: {self.message}"


_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO
_REGISTRY_HINT = "Names of this namespace come from the registry: add it there, or use the name that stands there."

RULES: dict[str, Rule] = {
    "line.json": Rule(_E, "A line is not JSON.", "Write one JSON object a line."),
    "line.truncated": Rule(
        _W, "The last line breaks off.", "The writer died or is still writing; the rest was checked."
    ),
    "line.too_long": Rule(_E, "A line is longer than the limit and was skipped.", "Export smaller batches."),
    "line.unrecognised": Rule(
        _W,
        "A line is JSON, but neither OTLP nor a record of ours.",
        "Expected resourceSpans, resourceMetrics, resourceLogs, a stream report or a reconciliation record.",
    ),
    "otlp.shape": Rule(
        _E, "A part does not have the shape that OTLP JSON gives it.", "See opentelemetry-proto's JSON mapping."
    ),
    "scope.schema_url": Rule(
        _W,
        "The scope names no schema URL, or that of another major version.",
        "Set the schema URL on the tracer, meter or logger.",
    ),
    "attribute.unknown": Rule(_E, "A name in our namespace is not in the registry.", _REGISTRY_HINT),
    "attribute.misplaced": Rule(
        _E, "A known attribute is on a signal that does not list it.", "Reference it from that signal in the registry."
    ),
    "attribute.missing": Rule(_E, "A required attribute is missing.", "Set it whenever the signal is emitted."),
    "attribute.conditional": Rule(_E, "An attribute that another one calls for is missing.", "Set both or neither."),
    "attribute.type": Rule(
        _E, "A value has another type than the registry says.", "Mind int against double, and string against array."
    ),
    "attribute.value": Rule(
        _E, "A value is outside of a closed set.", "Use a member of the enum in streamgauge.names."
    ),
    "attribute.negative": Rule(
        _E, "A count or a duration is negative or not a number.", "Leave it out when it is not known."
    ),
    "attribute.duplicate": Rule(_E, "A key appears twice.", "Keys are unique within one signal."),
    "span.kind": Rule(
        _E, "The span is not of the kind that the registry says.", "CLIENT for a stream, INTERNAL for a reconciliation."
    ),
    "span.name": Rule(
        _W,
        "The span is not named as its kind is.",
        "`{operation} {model}`, as the GenAI conventions say; `reconcile {verdict}`.",
    ),
    "span.times": Rule(
        _E, "The span ends before it begins, or was never ended.", "End the span once, with its own clock."
    ),
    "span.status": Rule(
        _E, "The status disagrees with the outcome.", "truncated, failed and timed_out are ERROR, all others are UNSET."
    ),
    "span.error_type": Rule(_E, "The span failed without an error.type.", "Give the provider's own code."),
    "span.first_times": Rule(
        _E,
        "The first and last times contradict each other.",
        "first any <= first of a kind <= last <= end of the span.",
    ),
    "span.usage": Rule(
        _E, "Token usage and its provenance contradict each other.", "Unknown usage is absent, never 0."
    ),
    "span.dropped_events": Rule(
        _W, "The SDK dropped events of this span.", "Lower the chunk budget or raise the span's event limit."
    ),
    "event.unknown": Rule(_E, "An event in our namespace is not in the registry.", _REGISTRY_HINT),
    "event.order": Rule(
        _E, "Events are not in the order of their times.", "Add events in order, with the chunk's own time."
    ),
    "event.outside": Rule(
        _E, "An event lies outside of its span.", "Events happen between the start and the end of the span."
    ),
    "chunk.sum": Rule(
        _E,
        "The counts of the chunk events do not add up to the chunks received.",
        "Every chunk is in exactly one event.",
    ),
    "chunk.index": Rule(_E, "Chunk events overlap or leave a hole.", "index of the next = index + count of this one."),
    "chunk.offsets": Rule(
        _E, "A chunk event ends before it begins, or before the one in front of it.", "Offsets count from the call."
    ),
    "metric.unknown": Rule(_E, "A metric in our namespace is not in the registry.", _REGISTRY_HINT),
    "metric.instrument": Rule(_E, "A metric was recorded with another instrument.", "The registry says which."),
    "metric.unit": Rule(_E, "A metric has another unit.", "The registry says which."),
    "metric.buckets": Rule(
        _W, "Advised bucket bounds are missing.", "More bounds are welcome, fewer make quantiles useless."
    ),
    "metric.counts": Rule(
        _E,
        "The numbers of a data point contradict each other.",
        "count = sum of the buckets; one bucket more than bounds.",
    ),
    "record.field": Rule(_E, "A record does not have the shape of its JSON Schema.", "See streamgauge/schema/json."),
    "record.unknown_field": Rule(
        _W, "A record has a field that its JSON Schema does not know.", "Written by a newer version?"
    ),
    "record.version": Rule(
        _W, "A record names another major version of the schema.", "Check it with the version that wrote it."
    ),
    "record.states": Rule(
        _E,
        "The states of a reconciliation do not count its effects.",
        "states = effects by state, the undeclared among them.",
    ),
    "record.verdict": Rule(
        _E, "A reconciliation's verdict contradicts its outcome and effects.", "See the verdict's definition."
    ),
}
