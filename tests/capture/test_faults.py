"""Every fault of the provider, on every API: the report says what the table expects an honest observer to say."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from tests.capture.surfaces import PLAIN, PROMPT, SURFACES, Surface
from tests.capture.trial import Trial, arun, exhaust, run
from tests.capture.watching import Watch, watching

from streamgauge.demo import FAULTS, Provider
from streamgauge.names import Fault, Finding, Outcome

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
    script = {"extra_headers": {"x-streamgauge-script": '{"stall_ms": 600}'}} if fault in STALLS else {}
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


def _beta_helper(client: Any, model: str, **more: Any) -> Any:
    return client.beta.messages.stream(model=model, messages=PROMPT, max_tokens=64, **more)


# helpers that fall over what they accumulate


def caught(trial: Trial) -> None:
    """The application takes the helper's error in the block, and goes on."""
    with trial.managed() as stream:
        try:
            trial.read(stream)
        except ValueError as error:
            trial.see(error)


def not_caught(trial: Trial) -> None:
    with trial.managed() as stream:
        trial.read(stream)


def by_get_final_message(trial: Trial) -> None:
    with trial.managed() as stream:
        trial.see(stream.get_final_message())


def in_the_text_stream(trial: Trial) -> None:
    with trial.managed() as stream:
        trial.read(stream.text_stream)


async def acaught(trial: Trial) -> None:
    async with trial.amanaged() as stream:
        try:
            await trial.aread(stream)
        except ValueError as error:
            trial.see(error)


async def anot_caught(trial: Trial) -> None:
    async with trial.amanaged() as stream:
        await trial.aread(stream)


HELPER = SURFACES[5]
BETA = Surface("beta.messages.stream", "anthropic", "messages", _beta_helper, helper=True)


def assert_told_as_malformed(watch: Watch) -> None:
    report = watch.one(Outcome.FAILED)
    assert (report.failure_mode, report.error_type) == ("malformed_stream", "malformed_stream")
    assert (report.fault, report.cancel) == (Fault.PROVIDER, None)
    assert report.findings == (Finding.MALFORMED_TOOL_CALL,)
    (call,) = report.tool_calls
    assert (call.name, call.complete, call.well_formed) == ("get_weather", False, False)


@pytest.mark.parametrize("surface", [HELPER, BETA], ids=str)
@pytest.mark.parametrize("way", [caught, not_caught, by_get_final_message, in_the_text_stream])
def test_tool_arguments_that_the_helper_falls_over_are_the_providers_failure(
    clients: dict[str, Any], surface: Surface, way: Callable[[Trial], None]
) -> None:
    bare = run(way, Trial(surface, clients["anthropic"], "malformed_tool")).seen
    assert "Unable to parse tool parameter JSON" in bare[-1]
    with watching() as watch:
        assert run(way, Trial(surface, clients["anthropic"], "malformed_tool")).seen == bare
        assert_told_as_malformed(watch)


@pytest.mark.parametrize("surface", [HELPER, BETA], ids=str)
@pytest.mark.parametrize("way", [acaught, anot_caught])
async def test_tool_arguments_that_the_async_helper_falls_over_are_the_providers_failure(
    async_clients: dict[str, Any], surface: Surface, way: Callable[[Trial], Awaitable[None]]
) -> None:
    bare = (await arun(way, Trial(surface, async_clients["anthropic"], "malformed_tool"))).seen
    assert "Unable to parse tool parameter JSON" in bare[-1]
    with watching() as watch:
        assert (await arun(way, Trial(surface, async_clients["anthropic"], "malformed_tool"))).seen == bare
        assert_told_as_malformed(watch)


class OwnStream:
    """An application's own wrapper of a stream, which breaks by itself."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._iterator = self.own()

    def own(self) -> Iterator[Any]:
        yield next(self.stream)
        raise ValueError("of the application's own")

    def close(self) -> None:
        self.stream.close()


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_error_of_the_application_while_it_reads_stays_its_cancel(clients: dict[str, Any], surface: Surface) -> None:
    with watching() as watch:
        own = OwnStream(Trial(surface, clients[surface.sdk]).open())
        with pytest.raises(ValueError, match="own"):
            list(own._iterator)
        own.close()
        assert watch.one(Outcome.CANCELLED).failure_mode is None


def test_tool_arguments_that_went_wrong_are_found_in_a_stream_that_was_left(clients: dict[str, Any]) -> None:
    with watching() as watch:
        with Trial(PLAIN[2], clients["anthropic"], "malformed_tool").managed() as stream:
            arguments = ""
            for event in stream:
                arguments += getattr(getattr(event, "delta", None), "partial_json", "")
                if "thr" in arguments:
                    break
        assert watch.one(Outcome.CANCELLED).findings == (Finding.MALFORMED_TOOL_CALL,)


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
