"""Room 6, signals: reports and live facts become OpenTelemetry spans, metrics and log events.

The only room that imports OpenTelemetry. In: `Call`, `StreamReport` and live facts from the gauge. Out: signals,
through the providers that were given or the global ones, and reports to sinks. It judges nothing and never raises on
purpose; the gauge guards it."""

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from opentelemetry import metrics as metrics_api
from opentelemetry import trace as trace_api
from opentelemetry._logs import get_logger
from opentelemetry.trace import Span, SpanContext

from streamgauge import names
from streamgauge.analysis import StreamReport
from streamgauge.names import FollowUp, Initiator, Phase
from streamgauge.recording import Call
from streamgauge.settings import Settings
from streamgauge.signals import spans
from streamgauge.signals.logs import Logs
from streamgauge.signals.metrics import Metrics, OpenStreams
from streamgauge.signals.sinks import JsonlSink, Sink

__all__ = ["JsonlSink", "OpenStreams", "Signals", "Sink", "Span", "SpanContext", "span_ids"]

span_ids = spans.ids
log = logging.getLogger(names.SCOPE)


def _version() -> str:
    try:
        return version("streamgauge")
    except PackageNotFoundError:
        return names.SCHEMA_VERSION


Attempt = Callable[..., object]
"""Runs `function(*args, **kwargs)` for the hook that it is given first, and keeps an error of one from the others."""


def _plainly(_hook: str, function: Callable[..., object], *args: Any, **kwargs: Any) -> object:
    return function(*args, **kwargs)


class Signals:
    """One way out for everything; made once per gauge."""

    def __init__(
        self,
        settings: Settings,
        open_streams: OpenStreams,
        *,
        tracer_provider: Any = None,
        meter_provider: Any = None,
        logger_provider: Any = None,
        sinks: Iterable[Sink] = (),
        bounds: Mapping[str, tuple[float, ...]] | None = None,
        slos: Iterable[str] = (),
        attempt: Attempt = _plainly,
    ) -> None:
        self._attempt = attempt
        self._said_dropped = False
        self._vocabulary = names.VOCABULARIES[settings.vocabulary]
        self._mode = settings.chunk_events
        self._propagate = settings.propagate
        self._on_span = settings.timeline_signal == "span" and self._mode != "off"
        self._on_log = settings.timeline_signal == "log" and self._mode != "off"
        self._tracer_provider, self._meter_provider = tracer_provider, meter_provider
        self._tracer = trace_api.get_tracer(names.SCOPE, _version(), tracer_provider, schema_url=names.SCHEMA_URL)
        self._meter = metrics_api.get_meter(names.SCOPE, _version(), meter_provider, schema_url=names.SCHEMA_URL)
        self.metrics = Metrics(
            self._meter,
            self._vocabulary,
            open_streams,
            model_limit=settings.model_limit,
            models=settings.models,
            bounds=bounds,
            slos=slos,
        )
        self._logger = get_logger(names.SCOPE, _version(), logger_provider, schema_url=names.SCHEMA_URL)
        self._logs = Logs(self._logger, settings.log_events, self._vocabulary)
        self._sinks = list(sinks)
        if settings.jsonl is not None:
            self._sinks.append(JsonlSink(settings.jsonl))

    @property
    def meter_provider(self) -> Any:
        """Where the metrics go."""
        return self._meter_provider or metrics_api.get_meter_provider()

    def event_limit(self) -> int | None:
        """Most events that a span keeps, as far as the tracer provider says."""
        return spans.event_limit(self._tracer_provider or trace_api.get_tracer_provider())

    def effects(self, ledger: Any) -> Callable[[Any], None]:
        """A listener that turns what `ledger` tells into signals."""
        from streamgauge.signals.effects import Effects  # only who has a ledger needs its room

        return Effects(self._meter, self._logger, self._tracer, ledger.statistics).listen

    def during_request(self, span: Span) -> AbstractContextManager[Any]:
        """A block in which the span of a stream is current, if the settings ask for that; one that does nothing
        else.
        """
        return spans.during_request(span) if self._propagate else nullcontext()

    def begin(self, call: Call, resumed: SpanContext | None) -> tuple[Span, dict[str, Any]]:
        """A call is made: its span, and the labels of its metrics."""
        span = spans.begin(self._tracer, call, resumed)
        labels = self.metrics.begun(self.metrics.labels(call.provider, call.model, call.operation))
        self._logs.begun(call, spans.context_of(span))
        return span, labels

    def stalled(self, call: Call, span: Span, labels: dict[str, Any], phase: Phase, seconds: float, at: int) -> None:
        """A stall goes on in an open stream; `at` is nanoseconds since the epoch."""
        self.metrics.stalled(labels, phase)
        self._logs.stalled(call.stream_id, phase, seconds, at, spans.context_of(span))

    def cancelled(self, call: Call, span: Span, initiator: Initiator, phase: Phase, at: int) -> None:
        """Somebody asked for the end of an open stream."""
        self._logs.cancelled(call.stream_id, initiator, phase, at, spans.context_of(span))

    def followed_up(
        self, stream_id: str, what: FollowUp, at: int, labels: dict[str, Any] | None, span: SpanContext | None
    ) -> None:
        """The application told what became of a stopped answer; labels and span of a stream of another process are
        not known here."""
        self.metrics.followed_up(labels or self.metrics.labels("unknown", None, "chat"), what)
        within = None if span is None else trace_api.set_span_in_context(trace_api.NonRecordingSpan(span))
        self._logs.followed_up(stream_id, what, at, within)

    def sealed(self, report: StreamReport, span: Span, labels: dict[str, Any], stalls_told: int) -> None:
        """A stream ended: everything that is to be said of it leaves now."""
        context, attempt = spans.context_of(span), self._attempt
        attempt("metrics", self.metrics.sealed, report, labels, stalls_told, context)
        attempt("logs", self._logs.sealed, report, context, timeline=self._on_log)
        attempt("span", spans.end, span, report, self._vocabulary, timeline=self._on_span, mode=self._mode)
        attempt("span", self._say_dropped, getattr(span, "dropped_events", 0))
        for sink in self._sinks:
            attempt("sink", sink, report)

    def _say_dropped(self, events: int) -> None:
        if not events:
            return
        self.metrics.drop("span_event_limit", events)
        if not self._said_dropped:
            self._said_dropped = True
            log.warning(
                "chunk_events=%s: a span keeps %s events, %d of this stream were dropped, the oldest first; "
                "raise OTEL_SPAN_EVENT_COUNT_LIMIT, or use chunk_events=adaptive or timeline_signal=log",
                self._mode,
                self.event_limit(),
                events,
            )
