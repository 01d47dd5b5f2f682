"""An error planted in every hook of ours reaches nobody, is counted, and leaves nothing open."""

import logging
from collections import Counter
from typing import Any

import pytest
from tests.capture.surfaces import PLAIN, SURFACES, Surface
from tests.capture.trial import Trial, aexhaust, arun, exhaust, run
from tests.capture.watching import TickingClock, Watch, watching

import streamgauge.analysis.loops
import streamgauge.gauge.observation
import streamgauge.gauge.wiring
import streamgauge.providers.openai
import streamgauge.signals.logs
import streamgauge.signals.metrics
import streamgauge.signals.spans
from streamgauge import names
from streamgauge.gauge.guard import guarded
from streamgauge.names import Outcome
from streamgauge.recording import Recorder

CANARY = "canary-4711"


class PlantedError(Exception):
    """An error of ours that must not get out."""


def fails(*_: object, **__: object) -> Any:
    raise PlantedError(CANARY)


class BlindDetector:
    """A detector of loops whose every method fails."""

    def __init__(self, on_loop: object = None) -> None:  # noqa: ARG002
        self.feed = fails

    def finish(self) -> None:
        return None


HOOKS: dict[str, tuple[Any, str, bool]] = {
    "the call is made": (streamgauge.gauge.wiring.Gauge, "_call", False),
    "the span begins": (streamgauge.signals.spans, "begin", False),
    "labels are made": (streamgauge.signals.metrics.Metrics, "labels", False),
    "a request goes out": (Recorder, "attempt", True),
    "the answer opens": (Recorder, "opened", True),
    "the close is hooked": (streamgauge.gauge.observation, "when_closed", True),
    "the stream is tapped": (streamgauge.gauge.observation.Observation, "wrap", False),
    "a chunk is fed": (Recorder, "account", False),
    "text is settled": (Recorder, "settle", False),
    "text is read": (Recorder, "text", True),
    "text is looked at for loops": (streamgauge.gauge.wiring, "LoopDetector", True),
    "loops are summed up": (streamgauge.analysis.loops.LoopDetector, "finish", False),
    "the books are closed": (Recorder, "seal", False),
    "the record is judged": (streamgauge.gauge.observation, "analyse", False),
    "the stream is remembered": (streamgauge.gauge.wiring.Gauge, "_remember", True),
    "metrics leave": (streamgauge.signals.metrics.Metrics, "sealed", True),
    "logs leave": (streamgauge.signals.logs.Logs, "sealed", True),
    "the span is filled": (streamgauge.signals.spans, "attributes", True),
}
"""What fails, and whether there is a report all the same."""
REPLACED = {"LoopDetector": BlindDetector}


def assert_kept_quiet(watch: Watch, reported: bool) -> None:
    errors = watch.gauge.guard.errors
    assert sum(errors.values()) >= 1
    watch.expected_errors = Counter(errors)
    watch.expected_complaints = len(watch.complaints.said)
    assert not any(CANARY in line for line in watch.complaints.said)
    counted = {p.attributes[names.HOOK]: p.value for p in watch.points()[names.INTERNAL_ERRORS.name] if p.value}
    assert counted == dict(errors)
    assert len(watch.reports) == int(reported)


@pytest.mark.parametrize("surface", PLAIN, ids=str)
@pytest.mark.parametrize("hook", HOOKS)
def test_error_in_a_hook_reaches_nobody_and_is_counted(
    clients: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    schema_checked: list[Any],
    surface: Surface,
    hook: str,
) -> None:
    place, name, reported = HOOKS[hook]
    bare = run(exhaust, Trial(surface, clients[surface.sdk])).seen
    with watching() as watch:
        with monkeypatch.context() as patch:
            patch.setattr(place, name, REPLACED.get(name, fails))
            trial = run(exhaust, Trial(surface, clients[surface.sdk]))
            watch.settle()
        assert trial.seen == bare
        assert watch.gauge.open_count == 0
        assert_kept_quiet(watch, reported)
        schema_checked.clear()  # half of a span is not held against it
        ok = run(exhaust, Trial(surface, clients[surface.sdk]))
        assert ok.seen == bare
        assert watch.reports[-1].outcome is Outcome.COMPLETED


@pytest.mark.parametrize("surface", PLAIN, ids=str)
@pytest.mark.parametrize("hook", ["a chunk is fed", "the books are closed", "the close is hooked", "metrics leave"])
async def test_error_in_a_hook_of_an_async_stream_reaches_nobody_and_is_counted(
    async_clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch, surface: Surface, hook: str
) -> None:
    place, name, reported = HOOKS[hook]
    bare = (await arun(aexhaust, Trial(surface, async_clients[surface.sdk]))).seen
    with watching() as watch:
        with monkeypatch.context() as patch:
            patch.setattr(place, name, fails)
            trial = await arun(aexhaust, Trial(surface, async_clients[surface.sdk]))
            watch.settle()
        assert trial.seen == bare
        assert_kept_quiet(watch, reported)


def test_error_where_a_request_is_read_lets_the_call_through_unobserved(clients: dict[str, Any]) -> None:
    """Options of a shape that no provider file expects: the model is no text, the messages are no list."""
    with watching() as watch:
        chunks = list(clients["openai"].chat.completions.create(model=4711, messages=({},), stream=True, n=None))
        assert len(chunks) > 10
        assert watch.one(Outcome.COMPLETED).model is None


def test_error_in_a_sink_keeps_neither_the_caller_nor_the_other_sinks(clients: dict[str, Any]) -> None:
    seen: list[Any] = []
    with watching(sinks=[fails, seen.append]) as watch:
        run(exhaust, Trial(SURFACES[0], clients["openai"]))
        run(exhaust, Trial(SURFACES[0], clients["openai"]))
        assert len(seen) == len(watch.stream_spans) == 2
        watch.expected_errors = Counter(sink=2)
        watch.expected_complaints = 1


def test_error_in_on_finding_reaches_nobody(clients: dict[str, Any]) -> None:
    with watching(on_finding=fails) as watch:
        run(exhaust, Trial(SURFACES[0], clients["openai"], "loop"))
        assert watch.one(Outcome.LENGTH_LIMITED).loop is not None
        watch.expected_errors = Counter(on_finding=1)
        watch.expected_complaints = 1


def test_error_in_the_watchdog_reaches_nobody_and_stops_nothing(
    clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = TickingClock()
    with watching(client=clients["openai"], clock=clock) as watch:
        trial = Trial(SURFACES[0], clients["openai"])
        stream = trial.open()
        with monkeypatch.context() as patch:
            patch.setattr(streamgauge.gauge.wiring.Gauge, "_look_after", fails)
            watch.gauge.look_around()
        assert watch.gauge.guard.errors["watchdog"] >= 1
        trial.read(stream)
        watch.one(Outcome.COMPLETED)
        watch.expected_errors = Counter(watch.gauge.guard.errors)
        watch.expected_complaints = 1


def test_error_in_the_close_reaches_nobody_and_the_connection_is_closed(
    clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_note_cancel", "_closed"):
        with watching() as watch:
            trial = Trial(SURFACES[0], clients["openai"])
            with monkeypatch.context() as patch:
                patch.setattr(streamgauge.gauge.observation.Observation, name, guarded("close")(fails))
                stream = trial.open()
                trial.read(stream, 3)
                stream.close()
            assert stream.response.is_closed
            del stream
            watch.settle()
            watch.expected_errors = Counter(watch.gauge.guard.errors)
            watch.expected_complaints = len(watch.complaints.said)
            assert sum(watch.expected_errors.values()) == 1
            assert watch.gauge.open_count == 0


def test_log_line_of_an_error_of_ours_is_said_once_per_place(
    clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with watching() as watch, monkeypatch.context() as patch, caplog.at_level(logging.WARNING, "streamgauge"):
        patch.setattr(Recorder, "account", fails)
        for _ in range(3):
            run(exhaust, Trial(SURFACES[0], clients["openai"]))
        assert len([record for record in caplog.records if record.name == "streamgauge"]) == 1
        watch.expected_errors = Counter(feed=3)
        watch.expected_complaints = 1
