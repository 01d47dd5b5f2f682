"""The ledger beside the streams: what fails in its store stays there."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.capture.surfaces import SURFACES
from tests.capture.trial import Trial
from tests.capture.watching import Watch

import streamgauge
from streamgauge.ledger import StreamStopped, close_ledger, use_ledger
from streamgauge.names import EVENT_CANCEL, INITIATOR, Outcome

BUSY = 0.05


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """The file of a ledger in use that soon gives up on a locked database."""
    use_ledger(f"sqlite:///{tmp_path}/effects.db", busy_timeout=BUSY)
    yield tmp_path / "effects.db"
    close_ledger()


def test_a_store_that_fails_does_not_swallow_the_signals_of_a_cancel(
    clients: dict[str, Any], gauge: Watch, file: Path
) -> None:
    trial = Trial(SURFACES[0], clients["openai"], "stall_forever", {"extra_headers": {"x-streamgauge-script": "{}"}})
    stream = trial.open()
    trial.read(stream, 2)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        streamgauge.cancel(stream)
        other.execute("ROLLBACK")
    report = gauge.one(Outcome.CANCELLED)
    said = [log.log_record for log in gauge.logs if log.log_record.event_name == EVENT_CANCEL]
    assert [record.attributes[INITIATOR] for record in said] == ["user_stop"]
    gauge.expected_errors["ledger"] = 2  # the cancel, and the end
    gauge.expected_complaints = len(gauge.complaints.said)
    assert any("streamgauge failed in ledger (StoreUnavailable)" in line for line in gauge.complaints.said)
    close_ledger()  # pays what is owed
    kept = use_ledger(f"sqlite:///{file}")
    assert [step["what"] for step in kept.history(stream=report.stream_id)] == ["stopped", "ended", "stopped"]
    with pytest.raises(StreamStopped), streamgauge.effect("late", stream=report.stream_id):
        pytest.fail("the fence is up")
