"""The public test kit: signals checked as the SDK holds them, everything watched, and the neutral conformance table."""

import json
from dataclasses import replace

import pytest
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.schema import emitted

import streamgauge
from streamgauge import names
from streamgauge.demo import FAULTS, Provider
from streamgauge.errors import ConfigError
from streamgauge.names import Outcome
from streamgauge.schema.check import Checker
from streamgauge.testing import conformance
from streamgauge.testing.cases import APIS, JUDGED, table
from streamgauge.testing.driver import ASYNC_EXITS, EXITS
from streamgauge.testing.signals import check_logs, check_metrics, check_spans, spans_to_otlp
from streamgauge.testing.watching import watching

SENT = emitted.emit(*emitted.REPORTS)
LYING = replace(emitted.CANCELLED, outcome=Outcome.FAILED, chunks=99)


def test_what_the_code_emits_has_no_finding():
    assert check_spans(SENT.spans) == check_logs(SENT.logs) == check_metrics(SENT.metrics) == []
    assert check_metrics(None) == []


def test_a_breach_is_found_in_objects_of_the_sdk():
    found = {finding.rule for finding in check_spans(emitted.emit(LYING).spans)}
    assert {"chunk.sum", "span.error_type", "attribute.conditional"} <= found


def test_protobufs_json_of_the_same_signals_has_no_finding_either():
    encoded = (encode_spans(SENT.spans), encode_logs(SENT.logs), encode_metrics(SENT.metrics))
    for message in encoded:
        one = Checker()
        assert one.line(json.dumps(MessageToDict(message)).encode()) == []
        assert sum(one.seen.values()) > 1


def test_our_conversion_says_what_the_exporters_encoding_says():
    ours = spans_to_otlp(SENT.spans)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    theirs = MessageToDict(encode_spans(SENT.spans))["resourceSpans"][0]["scopeSpans"][0]["spans"]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine["attributes"] == other["attributes"]
        assert mine["events"] == other["events"]
        assert (mine["name"], mine["startTimeUnixNano"], mine["endTimeUnixNano"]) == (
            other["name"],
            other["startTimeUnixNano"],
            other["endTimeUnixNano"],
        )


def test_whatever_is_emitted_in_the_block_is_watched():
    with watching() as found:
        emitted.emit(*emitted.REPORTS)
        assert found == []
        emitted.emit(LYING)
    assert "chunk.sum" in {finding.rule for finding in found}
    told = len(found)
    emitted.emit(LYING)
    assert len(found) == told


def test_the_neutral_table_expects_what_the_faults_of_the_demo_promise():
    cases = {case.fault: case for case in table().cases if case.name in FAULTS}
    assert set(cases) == set(FAULTS)
    for fault in FAULTS.values():
        for api in APIS:
            promised, record = fault.expected(api), cases[fault.name].record(api)
            assert record["outcome"] == promised.outcome, fault.name
            assert record.get("failure_mode") == promised.failure_mode, fault.name
            assert set(record["findings"]) == set(promised.findings), fault.name
            assert record.get("error_type", "") == promised.error_type, fault.name
            assert record.get("http_status") == promised.http_status, fault.name


def test_the_table_uses_the_registrys_words_and_the_drivers_exits():
    for case in table().cases:
        assert case.exit in {**EXITS, **ASYNC_EXITS}, case.name
        for api in APIS:
            record = case.record(api)
            assert set(record) <= set(JUDGED), case.name
            assert record["outcome"] in names.VALUES[names.OUTCOME]
            assert set(record["findings"]) <= set(names.VALUES[names.FINDING])
    assert {case.exit for case in table().cases} == {*EXITS, *ASYNC_EXITS}


def test_a_case_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="case='resett'"):
        table().named("resett")


def nowhere(_fault: str, _api: str, **_script: object) -> str:
    raise AssertionError("an adapter that plays nothing needs no provider")


def test_an_observer_of_status_codes_is_told_where_it_lies():
    def adapter(_play):
        return [{"outcome": "completed", "findings": [], "http_status": 200}]

    card = conformance.run(adapter, nowhere, "healthy", "truncated", "error_event", apis=["chat"])
    assert [(result.case.name, result.wrong) for result in card.results] == [
        ("healthy", ()),
        ("truncated", ("outcome",)),
        ("error_event", ("outcome", "failure_mode", "error_type")),
    ]
    assert card.score == pytest.approx(1 / 3)
    assert card.by_key()["outcome"] == (1, 3)
    assert "chat truncated: outcome 'completed' for 'truncated'" in card.text()
    assert json.loads(json.dumps(card.to_dict()))["by_key"]["http_status"] == [3, 3]


@pytest.mark.parametrize("count", [0, 2])
def test_exactly_one_record_a_stream_is_right(count):
    def adapter(_play):
        return [{}] * count

    card = conformance.run(adapter, nowhere, "healthy", apis=["chat"])
    assert card.results[0].wrong == ("record",)
    assert card.by_key()["outcome"] == (0, 1)


@pytest.fixture
def ours():
    """streamgauge as an adapter, which also checks every span against the schema."""
    exporter, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    limit = table().stall_s
    settings = streamgauge.Settings(stall_planning=limit, stall_acting=limit, stall_responding=limit)
    gauge = streamgauge.instrument(tracer_provider=tracers, settings=settings)

    def adapter(play):
        exporter.clear()
        play()
        gauge.flush()
        spans = exporter.get_finished_spans()
        assert [str(finding) for finding in check_spans(spans)] == []
        return conformance.records(spans)

    yield adapter
    streamgauge.uninstrument()
    tracers.shutdown()


SELECTED = (
    "truncated",
    "error_event",
    "reset",
    "malformed_tool",
    "content_filter_mid",
    "rate_limited",
    "refused",
    *EXITS,
)


@pytest.mark.parametrize("api", APIS)
def test_streamgauge_itself_is_right_in_every_cell(api, ours):
    chosen = () if api == "chat" else tuple(name for name in SELECTED if name != "exhaust")
    with Provider() as provider:
        card = conformance.run(ours, provider.base_url, *chosen, apis=[api])
    assert card.text() and [conformance._line(result) for result in card.results if not result.right] == []
