"""Every fault of the provider, on every API: the report says what the table expects an honest observer to say."""

from typing import Any

import pytest
from tests.capture.surfaces import PLAIN, Surface
from tests.capture.trial import Trial, exhaust, run
from tests.capture.watching import watching

from streamgauge.demo import FAULTS, Provider
from streamgauge.names import Finding, Outcome

STALLS = {
    name
    for name, fault in FAULTS.items()
    if Finding.STALLED in fault.findings or name in ("slow_first_token", "late_usage")
}
LIMITS = {f"stall_{phase}": 0.15 for phase in ("waiting", "planning", "acting", "responding")}
PATIENCE = {"timeout": 0.4}


def assert_told(report: Any, fault: str, api: str) -> None:
    expected = FAULTS[fault].expected(api)
    outcome = Outcome.TIMED_OUT if fault == "stall_forever" else expected.outcome  # here the client's timeout ends it
    assert (report.outcome, report.failure_mode) == (outcome, expected.failure_mode)
    assert report.http_status == expected.http_status
    assert {*report.findings} - {Finding.STALLED} == {*expected.findings} - {Finding.STALLED}
    if fault in STALLS and Finding.STALLED in expected.findings:
        assert Finding.STALLED in report.findings
    if expected.error_type:
        assert report.error_type == expected.error_type


@pytest.mark.parametrize("surface", PLAIN, ids=str)
@pytest.mark.parametrize("fault", FAULTS)
def test_report_says_what_happened(clients: dict[str, Any], surface: Surface, fault: str) -> None:
    client = clients[surface.sdk].with_options(max_retries=int(fault == "rate_limited_then_ok"))
    waits = fault in ("stall_forever", "read_timeout", "header_timeout")
    script = {"extra_headers": {"x-streamgauge-script": '{"stall_ms": 300}'}} if fault in STALLS else {}
    with watching(settings=LIMITS if fault in STALLS else {}) as watch:
        trial = run(exhaust, Trial(surface, client, fault, {**script, **(PATIENCE if waits else {})}))
        (report,) = watch.reports
        assert_told(report, fault, surface.api)
        raised = len(trial.seen) - report.chunks
        assert raised in (0, 2)


@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in STALLS | {"header_timeout"}])
def test_report_of_legacy_completions_says_what_happened(clients: dict[str, Any], fault: str) -> None:
    client = clients["openai"].with_options(max_retries=int(fault == "rate_limited_then_ok"))
    with watching() as watch:
        surface = Surface("completions", "openai", "completions", _completions)
        run(exhaust, Trial(surface, client, fault, PATIENCE if fault == "read_timeout" else {}))
        (report,) = watch.reports
        assert_told(report, fault, "completions")


def _completions(client: Any, model: str, **more: Any) -> Any:
    return client.completions.create(model=model, prompt="Which gauge?", stream=True, **more)


def test_stall_is_told_while_the_stream_is_open_and_counted_once(provider: Provider, clients: dict[str, Any]) -> None:
    told: list[tuple[object, object]] = []
    script = {"extra_headers": {"x-streamgauge-script": '{"stall_ms": 500}'}}
    with watching(settings=LIMITS, on_finding=lambda stream, word: told.append((stream.report, word))) as watch:
        run(exhaust, Trial(PLAIN[0], clients["openai"], "stall", script))
        report = watch.one(Outcome.COMPLETED)
        assert len(report.stalls) == 1
        assert (None, "stalled") in told
        stalls = sum(point.value for point in watch.points()["streamgauge.stalls"])
        assert stalls == len(told) == 1
        assert [log.log_record.event_name for log in watch.logs] == ["streamgauge.stall", "streamgauge.stream.end"]
