"""Metrics: one batch of samples per sealed report, a few live ones, and gauges read off the open streams when
collected.

Every instrument is a row of `names`; bounds that an SLO needs are inserted into a histogram's own. Every plausible
outcome of a (provider, model) exists at 0 from its first stream on, so that `increase()` sees the first failure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from streamgauge import names
from streamgauge.analysis import StreamReport
from streamgauge.names import (
    FailureMode,
    FollowUp,
    Initiator,
    Kind,
    Metric,
    Outcome,
    Phase,
    StatusClass,
    Verdict,
    Vocabulary,
)
from streamgauge.recording import Call
from streamgauge.signals.labels import NONE, Cap, Labels, server

PLAUSIBLE: tuple[tuple[Outcome, FailureMode | None, StatusClass], ...] = (
    (Outcome.COMPLETED, None, StatusClass.OK),
    (Outcome.LENGTH_LIMITED, None, StatusClass.OK),
    (Outcome.CONTENT_FILTERED, None, StatusClass.OK),
    (Outcome.TRUNCATED, None, StatusClass.OK),
    (Outcome.TIMED_OUT, None, StatusClass.OK),
    (Outcome.TIMED_OUT, None, StatusClass.NONE),
    (Outcome.CANCELLED, None, StatusClass.OK),
    (Outcome.CANCELLED, None, StatusClass.NONE),
    (Outcome.ABANDONED, None, StatusClass.OK),
    (Outcome.DETACHED, None, StatusClass.OK),
    (Outcome.CRASHED, None, StatusClass.NONE),
    (Outcome.FAILED, FailureMode.NETWORK_PRE_STREAM, StatusClass.NONE),
    (Outcome.FAILED, FailureMode.NETWORK_MID_STREAM, StatusClass.OK),
    (Outcome.FAILED, FailureMode.RATE_LIMITED, StatusClass.CLIENT_ERROR),
    (Outcome.FAILED, FailureMode.PROVIDER_ERROR, StatusClass.SERVER_ERROR),
    (Outcome.FAILED, FailureMode.STREAM_ERROR_EVENT, StatusClass.OK),
    (Outcome.FAILED, FailureMode.MALFORMED_STREAM, StatusClass.OK),
    (Outcome.FAILED, FailureMode.TOOL_ERROR, StatusClass.OK),
    (Outcome.FAILED, FailureMode.CLIENT_ERROR, StatusClass.CLIENT_ERROR),
    (Outcome.FAILED, FailureMode.CLIENT_ERROR, StatusClass.NONE),
)
"""Label sets of `streamgauge.streams` that exist at 0 from the first stream on."""

HOOKS = (
    "request", "tap", "feed", "read", "close", "seal", "metrics", "logs", "span", "sink", "ledger", "watchdog",
    "follow_up",
)  # fmt: skip
"""Where an error of ours may happen; each exists at 0."""

DROPS = ("model_limit", "provider_limit", "raw_body", "internal_error", "span_event_limit")
"""Why something may be dropped; each exists at 0."""

OpenStreams = Callable[[], Iterable[tuple[Phase, float]]]
"""Phase and age in seconds of every open stream."""


class Metrics:
    """All instruments, and what goes into them."""

    def __init__(
        self,
        meter: Meter,
        vocabulary: Vocabulary,
        open_streams: OpenStreams,
        *,
        model_limit: int,
        models: Iterable[str] = (),
        bounds: Mapping[str, tuple[float, ...]] | None = None,
        slos: Iterable[str] = (),
    ) -> None:
        self._meter = meter
        self._bounds = bounds or {}
        self._vocabulary = vocabulary
        self._open = open_streams
        self._instruments: dict[str, Any] = {}
        self._labels = Labels(
            Cap(model_limit, models, lambda: self.drop("model_limit")),
            Cap(model_limit, (), lambda: self.drop("provider_limit")),
        )
        self._known: set[tuple[Any, ...]] = set()
        meter.create_observable_gauge(
            names.STREAMS_ACTIVE.name, [self._active], names.STREAMS_ACTIVE.unit, names.STREAMS_ACTIVE.brief
        )
        meter.create_observable_gauge(
            names.OLDEST_AGE.name, [self._oldest], names.OLDEST_AGE.unit, names.OLDEST_AGE.brief
        )
        for hook in HOOKS:
            self.add(names.INTERNAL_ERRORS, 0, {names.HOOK: hook})
        for reason in DROPS:
            self.add(names.INTERNAL_DROPS, 0, {names.DROP_REASON: reason})
        for slo in slos:
            for verdict in Verdict:
                self.add(names.SLO_EVENTS, 0, {names.SLO: slo, names.VERDICT: verdict.value})

    def _instrument(self, metric: Metric) -> Any:
        made = self._instruments.get(metric.name)
        if made is None:
            made = self._instruments[metric.name] = self._make(metric)
        return made

    def _make(self, metric: Metric) -> Any:
        if metric.instrument == "counter":
            return self._meter.create_counter(metric.name, metric.unit, metric.brief)
        bounds = sorted({*metric.buckets, *self._bounds.get(metric.name, ())})
        return self._meter.create_histogram(
            metric.name, metric.unit, metric.brief, explicit_bucket_boundaries_advisory=bounds
        )

    def add(self, metric: Metric, amount: float, labels: dict[str, Any], context: Context | None = None) -> None:
        """Count `amount`."""
        self._instrument(metric).add(amount, labels, context)

    def record(
        self, metric: Metric, value: float | None, labels: dict[str, Any], context: Context | None = None
    ) -> None:
        """Take one sample; None is no sample."""
        if value is not None:
            self._instrument(metric).record(value, labels, context)

    # live

    def error(self, hook: str) -> None:
        """An error of our own was kept from the application."""
        self.add(names.INTERNAL_ERRORS, 1, {names.HOOK: hook})

    def drop(self, reason: str, count: int = 1) -> None:
        """Something was dropped."""
        self.add(names.INTERNAL_DROPS, count, {names.DROP_REASON: reason})

    def begun(self, report_labels: dict[str, Any]) -> dict[str, Any]:
        """Labels of a stream that begins; its series exist from now on."""
        key = tuple(report_labels.values())
        if key not in self._known:
            self._known.add(key)
            self._create(report_labels)
        return report_labels

    def labels(self, provider: str, model: str | None, operation: str) -> dict[str, Any]:
        """The capped labels of a stream that has no report yet."""
        return self._labels.of(provider, model, operation)

    def stalled(self, labels: dict[str, Any], phase: Phase) -> None:
        """A stall was seen while the stream is open."""
        self.add(names.STALLS_TOTAL, 1, {**labels, names.PHASE: phase.value})

    def followed_up(self, labels: dict[str, Any], what: FollowUp) -> None:
        """The application told what became of a stopped answer."""
        self.add(names.FOLLOW_UPS, 1, {**labels, names.FOLLOW_UP: what.value})

    def per_chunk_labels(self, call: Call) -> dict[str, Any]:
        """Labels of the samples that a stream gives chunk by chunk."""
        labels = self._labels.of(call.provider, call.model, call.operation)
        return {**labels, **server(call.server_address, call.server_port)}

    def chunk_gap(self, labels: dict[str, Any], seconds: float) -> None:
        """One sample of the convention's time per output chunk."""
        for metric in self._vocabulary.per_chunk:
            self.record(metric, seconds, labels)

    def _create(self, labels: dict[str, Any]) -> None:
        for outcome, mode, status in PLAUSIBLE:
            self.add(names.STREAMS, 0, {**labels, **_ended(outcome, mode, status)})
        for phase in Phase:
            self.add(names.STALLS_TOTAL, 0, {**labels, names.PHASE: phase.value})
        for finding in names.Finding:
            self.add(names.FINDINGS_TOTAL, 0, {**labels, names.FINDING: finding.value})
        for metric in (names.CANCEL_CHUNKS_TOTAL, names.CANCEL_CHARACTERS_TOTAL):
            self.add(metric, 0, labels)
        for what in FollowUp:
            self.add(names.FOLLOW_UPS, 0, {**labels, names.FOLLOW_UP: what.value})
        unknown = {**labels, names.INITIATOR: Initiator.UNKNOWN.value}
        self.add(names.CANCELS_UNVERIFIED, 0, unknown)
        for phase in Phase:
            self.add(names.CANCELS_TOTAL, 0, {**unknown, names.CANCEL_PHASE: phase.value})

    # at the end

    def sealed(self, report: StreamReport, labels: dict[str, Any], stalls_told: int, context: Context | None) -> None:
        """All samples of one stream."""
        ended = _ended(report.outcome, report.failure_mode, report.status_class)
        self.add(names.STREAMS, 1, {**labels, **ended}, context)
        self._times(report, labels, context)
        self._content(report, labels)
        for finding in report.findings:
            self.add(names.FINDINGS_TOTAL, 1, {**labels, names.FINDING: finding.value})
        for stall in report.stalls[stalls_told:]:
            self.stalled(labels, stall.phase)
        self._cancelled(report, labels, context)
        self._convention(report, labels, context)
        for slo, verdict in report.verdicts.items():
            self.add(names.SLO_EVENTS, 1, {names.SLO: slo, names.VERDICT: verdict.value})

    def _times(self, report: StreamReport, labels: dict[str, Any], context: Context | None) -> None:
        for kind, seconds in (
            (Kind.TEXT, report.ttft_s),
            (Kind.ANY, report.ttft_any_s),
            (Kind.REASONING, report.ttft_reasoning_s),
            (Kind.TOOL_CALL, report.ttft_tool_call_s),
        ):
            if seconds is not None:
                self.record(names.TTFT_SECONDS, seconds, {**labels, names.KIND: kind.value}, context)
        self.record(names.TTLT_SECONDS, report.ttlt_s, labels, context)
        self.record(names.GAP_MAX_SECONDS, report.gap_max_s, labels, context)
        self.record(names.TIME_PER_CHUNK, report.time_per_chunk_s, labels, context)

    def _content(self, report: StreamReport, labels: dict[str, Any]) -> None:
        if report.chunks:
            self.add(names.CHUNKS_TOTAL, report.chunks, labels)
        counts = report.characters
        for kind, count in (
            (Kind.TEXT, counts.text),
            (Kind.REASONING, counts.reasoning),
            (Kind.TOOL_CALL, counts.tool_call),
        ):
            if count:
                self.add(names.CHARACTERS_TOTAL, count, {**labels, names.KIND: kind.value})

    def _cancelled(self, report: StreamReport, labels: dict[str, Any], context: Context | None) -> None:
        cancel = report.cancel
        if cancel is None:
            return
        who = {**labels, names.INITIATOR: cancel.initiator.value}
        self.add(names.CANCELS_TOTAL, 1, {**who, names.CANCEL_PHASE: cancel.phase.value}, context)
        if cancel.upstream_close_s is None or report.outcome is Outcome.DETACHED:
            self.add(names.CANCELS_UNVERIFIED, 1, who)
        else:
            self.record(names.UPSTREAM_CLOSE, cancel.upstream_close_s, who, context)
        self.add(names.CANCEL_CHUNKS_TOTAL, cancel.chunks_after, labels)
        self.add(names.CANCEL_CHARACTERS_TOTAL, cancel.characters_after, labels)

    def _convention(self, report: StreamReport, stream: dict[str, Any], context: Context | None) -> None:
        words = self._vocabulary
        labels = self._labels.convention(report, stream)
        failed = labels if report.error_type is None else {**labels, names.ERROR_TYPE: report.error_type}
        first = first_content(report)
        for metric in words.duration:
            self.record(metric, report.duration_s, failed, context)
        for metric in words.first_chunk:
            self.record(metric, first, labels, context)
        self._tokens(report.usage.input_tokens, "input", words.input_tokens, labels)
        self._tokens(report.usage.output_tokens, "output", words.output_tokens, labels)

    def _tokens(self, count: int | None, kind: str, counters: tuple[Metric, ...], labels: dict[str, Any]) -> None:
        if count is None:
            return
        for metric in self._vocabulary.token_usage:
            self.record(metric, count, {**labels, names.TOKEN_TYPE: kind})
        for metric in counters:
            self.add(metric, count, {**labels, names.TOKEN_MODALITY: "unknown"})

    # when collected

    def _active(self, _options: CallbackOptions) -> Iterable[Observation]:
        counts = dict.fromkeys(Phase, 0)
        for phase, _age in self._open():
            counts[phase] += 1
        return [Observation(count, {names.PHASE: phase.value}) for phase, count in counts.items()]

    def _oldest(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(max((age for _phase, age in self._open()), default=0.0))]


def first_content(report: StreamReport) -> float | None:
    """Seconds to the first generated content of any kind."""
    return min(
        (
            seconds
            for seconds in (report.ttft_s, report.ttft_reasoning_s, report.ttft_tool_call_s)
            if seconds is not None
        ),
        default=None,
    )


def _ended(outcome: Outcome, mode: FailureMode | None, status: StatusClass) -> dict[str, str]:
    return {
        names.OUTCOME: outcome.value,
        names.FAILURE_MODE: mode.value if mode else NONE,
        names.STATUS_CLASS: status.value,
    }
