"""What leaves, and under which names: metrics that exist at 0, log events by choice, words of a vocabulary, spans."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from tests.capture.surfaces import SURFACES
from tests.capture.trial import Trial, exhaust, run
from tests.capture.watching import Watch, watching
from tests.schema.emitted import COMPLETED

import streamgauge
from streamgauge import ConfigError, names
from streamgauge.names import FailureMode, Finding, Outcome, Phase
from streamgauge.signals import JsonlSink, spans

CHAT, MESSAGES = SURFACES[0], SURFACES[4]
KINDS = ("input", "output")


def label(watch: Watch, metric: names.Metric, key: str) -> dict[str, float]:
    """Sum of a counter by one of its labels."""
    sums: dict[str, float] = {}
    for point in watch.points()[metric.name]:
        word = point.attributes[key]
        sums[word] = sums.get(word, 0) + point.value
    return sums


def test_every_outcome_exists_at_zero_from_the_first_stream_on(clients: dict[str, Any], gauge: Watch) -> None:
    stream = CHAT.call(clients["openai"], "m")
    outcomes = label(gauge, names.STREAMS, names.OUTCOME)
    assert outcomes == dict.fromkeys(Outcome, 0)
    modes = {point.attributes[names.FAILURE_MODE] for point in gauge.points()[names.STREAMS.name]}
    assert modes == {"none", *FailureMode}
    assert label(gauge, names.FINDINGS_TOTAL, names.FINDING) == dict.fromkeys(Finding, 0)
    assert label(gauge, names.STALLS_TOTAL, names.PHASE) == dict.fromkeys(Phase, 0)
    stream.close()
    assert label(gauge, names.STREAMS, names.OUTCOME)[Outcome.CANCELLED] == 1


@pytest.mark.parametrize("outcome,status", [("healthy", StatusCode.UNSET), ("truncated", StatusCode.ERROR)])
def test_span_is_a_client_span_with_the_streams_own_times(
    clients: dict[str, Any], gauge: Watch, outcome: str, status: StatusCode
) -> None:
    run(exhaust, Trial(CHAT, clients["openai"], outcome))
    (span,), (report,) = gauge.stream_spans, gauge.reports
    assert (span.name, span.kind, span.status.status_code) == (f"chat demo-{outcome}", SpanKind.CLIENT, status)
    assert span.start_time == report.started_unix_ns
    assert span.end_time - span.start_time == pytest.approx(report.duration_s * 1e9, abs=1000)
    assert all(span.start_time <= event.timestamp <= span.end_time for event in span.events)
    assert span.events[-1].name == names.EVENT_END


@pytest.mark.parametrize(
    "limits", [{}, {"max_span_attributes": 12}, {"max_attribute_length": 6}, {"max_span_attributes": 0}], ids=str
)
def test_span_is_filled_as_the_sdk_itself_would_fill_it(schema_checked: list[Any], limits: dict[str, int]) -> None:
    words = names.VOCABULARIES["v1.41"]
    tracer = TracerProvider(span_limits=SpanLimits(**limits)).get_tracer("test")
    ours, theirs = tracer.start_span("ours", attributes={"a": 1}), tracer.start_span("theirs", attributes={"a": 1})
    spans.end(ours, COMPLETED, words, timeline=True, mode="adaptive")
    theirs.set_attributes({**spans.attributes(COMPLETED, words), names.TIMELINE_MODE: "adaptive"})
    assert isinstance(ours, ReadableSpan)
    assert isinstance(theirs, ReadableSpan)
    assert dict(ours.attributes or {}) == dict(theirs.attributes or {})
    assert ours.dropped_attributes == theirs.dropped_attributes
    schema_checked.clear()  # a span that was not begun here says less than ours do


@pytest.mark.parametrize(
    "wanted,told",
    [
        (("begin", "end"), [names.EVENT_BEGIN, names.EVENT_END]),
        ((), []),
        (("cancel", "end"), [names.EVENT_CANCEL, names.EVENT_END]),
    ],
)
def test_log_events_are_those_that_the_settings_ask_for(
    clients: dict[str, Any], wanted: tuple[str, ...], told: list[str]
) -> None:
    with watching(settings={"log_events": wanted}) as watch:
        trial = Trial(CHAT, clients["openai"])
        stream = trial.open()
        trial.read(stream, 3)
        streamgauge.cancel(stream)
        assert [log.log_record.event_name for log in watch.logs] == told
        assert {log.log_record.span_id for log in watch.logs} <= {watch.stream_spans[0].context.span_id}


@pytest.mark.parametrize(
    "vocabulary,there,missing",
    [
        ("v1.41", names.OPERATION_DURATION.name, names.INFERENCE_DURATION.name),
        ("genai-main", names.INFERENCE_DURATION.name, names.OPERATION_DURATION.name),
    ],
)
def test_vocabulary_decides_the_standard_names(
    clients: dict[str, Any], vocabulary: str, there: str, missing: str
) -> None:
    with watching(settings={"vocabulary": vocabulary}) as watch:
        run(exhaust, Trial(MESSAGES, clients["anthropic"]))
        points = watch.points()
        assert there in points
        assert missing not in points


def test_span_that_is_not_sampled_costs_no_metric_and_no_report(clients: dict[str, Any]) -> None:
    with watching(tracers=TracerProvider(sampler=ALWAYS_OFF)) as watch:
        run(exhaust, Trial(CHAT, clients["openai"]))
        assert watch.stream_spans == []
        assert [report.outcome for report in watch.reports] == [Outcome.COMPLETED]
        assert label(watch, names.STREAMS, names.OUTCOME)[Outcome.COMPLETED] == 1


def test_tokens_are_counted_once_and_only_when_they_are_known(clients: dict[str, Any], gauge: Watch) -> None:
    run(exhaust, Trial(MESSAGES, clients["anthropic"]))
    run(exhaust, Trial(MESSAGES, clients["anthropic"], "truncated"))
    whole, part = gauge.reports
    inputs, outputs = ([p for p in _tokens(gauge) if p.attributes[names.TOKEN_TYPE] == kind] for kind in KINDS)
    assert whole.usage.input_tokens is not None
    assert part.usage.input_tokens is not None
    assert sum(point.sum for point in inputs) == whole.usage.input_tokens + part.usage.input_tokens
    assert sum(point.count for point in inputs) == 2
    assert [(point.count, point.sum) for point in outputs] == [(1, whole.usage.output_tokens)]


def test_reports_of_many_threads_are_whole_lines_of_the_file(clients: dict[str, Any], tmp_path: Path) -> None:
    told = tmp_path / "reports.jsonl"
    with watching() as watch:
        run(exhaust, Trial(CHAT, clients["openai"]))
        sink = JsonlSink(told)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(sink, watch.reports * 200))
        assert [json.loads(line) for line in told.read_text().splitlines()] == [watch.reports[0].to_dict()] * 200


def test_file_that_cannot_be_written_is_a_config_error_when_the_gauge_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a file that can be written"):
        streamgauge.instrument(settings=streamgauge.Settings(jsonl=str(tmp_path / "no" / "such" / "folder")))
    assert streamgauge.gauge._wiring.everything is None


def _tokens(watch: Watch) -> list[Any]:
    return watch.points()[names.TOKEN_USAGE.name]
