"""`followed_up()`: what became of a stopped answer is counted once, beside the stop, and never in anybody's way."""

import logging
from collections import Counter
from typing import Any

import pytest
from tests.capture.surfaces import SURFACES
from tests.capture.trial import Trial
from tests.capture.watching import Watch

import streamgauge
from streamgauge import names
from streamgauge.names import FollowUp, Outcome

SLOW = {"extra_headers": {"x-streamgauge-script": '{"at": 3}'}}


def stopped(clients: dict[str, Any]) -> Any:
    """A stream that the user stopped after some text."""
    trial = Trial(SURFACES[0], clients["openai"], "stall_forever", SLOW)
    stream = trial.open()
    trial.read(stream, 3)
    streamgauge.cancel(stream)
    return stream


def counted(gauge: Watch) -> Counter[tuple[str, str]]:
    """Follow-ups by provider and word, those at 0 left out."""
    found: Counter[tuple[str, str]] = Counter()
    for point in gauge.points().get(names.FOLLOW_UPS.name, []):
        found[point.attributes[names.PROVIDER_NAME], point.attributes[names.FOLLOW_UP]] += point.value
    return +found


def told(gauge: Watch) -> list[Any]:
    return [each for each in gauge.logs if each.log_record.event_name == names.EVENT_FOLLOW_UP]


@pytest.mark.parametrize("what", FollowUp)
def test_what_became_of_a_stopped_answer_is_counted_with_its_stream(
    clients: dict[str, Any], gauge: Watch, what: FollowUp
) -> None:
    stream = stopped(clients)
    report = gauge.one(Outcome.CANCELLED)
    streamgauge.followed_up(stream, what.value)
    assert counted(gauge) == {("openai", what): 1}
    (event,) = told(gauge)
    assert dict(event.log_record.attributes) == {names.STREAM_ID: report.stream_id, names.FOLLOW_UP: what.value}
    assert f"{event.log_record.trace_id:032x}" == report.trace_id


def test_a_stream_is_told_by_its_id_after_its_end_and_each_word_counts_once(
    clients: dict[str, Any], gauge: Watch
) -> None:
    stopped(clients)
    report = gauge.one(Outcome.CANCELLED)
    for told_by in (report.stream_id, report.response_id, report.stream_id):
        streamgauge.followed_up(told_by, "partial_kept")
    streamgauge.followed_up(report.stream_id, "reprompted")
    assert counted(gauge) == {("openai", "partial_kept"): 1, ("openai", "reprompted"): 1}


def test_a_stream_of_another_process_is_counted_without_its_provider(gauge: Watch) -> None:
    streamgauge.followed_up("0123456789abcdef", "discarded")
    assert counted(gauge) == {("unknown", "discarded"): 1}
    (event,) = told(gauge)
    assert not event.log_record.trace_id


def test_every_word_exists_at_zero_from_the_first_stream_on(clients: dict[str, Any], gauge: Watch) -> None:
    stopped(clients)
    gauge.one(Outcome.CANCELLED)
    assert {point.attributes[names.FOLLOW_UP] for point in gauge.points().get(names.FOLLOW_UPS.name, [])} == set(
        FollowUp
    )
    assert counted(gauge) == {}


@pytest.mark.parametrize("stream", ["0123456789abcdef", object()], ids=["id", "unknown object"])
def test_what_cannot_be_told_is_logged_and_never_raised(
    gauge: Watch, caplog: pytest.LogCaptureFixture, stream: object
) -> None:
    with caplog.at_level(logging.WARNING, "streamgauge"):
        streamgauge.followed_up(stream, "liked" if isinstance(stream, str) else "reprompted")
    assert "expected a stream and one of" in caplog.text
    gauge.expected_complaints = 1
    assert counted(gauge) == {}


def test_without_a_gauge_nothing_happens(caplog: pytest.LogCaptureFixture) -> None:
    streamgauge.followed_up("0123456789abcdef", "reprompted")
    assert caplog.text == ""
