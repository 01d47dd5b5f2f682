"""The cancel fence: once a stream was stopped, an effect of it that has not started does not start.

The check runs inside the transaction that would start the effect, with the stream's row locked: a fence that looks
first and starts afterwards loses about one race in a hundred.
"""

from streamgauge.ledger.entry import Entry, StreamRow
from streamgauge.ledger.errors import StreamStopped
from streamgauge.ledger.facts import Late
from streamgauge.ledger.journal import Journal
from streamgauge.ledger.states import Step

REASON = "the stream was stopped first"


def holds(journal: Journal, stream: StreamRow | None, entry: Entry, mode: str, at_ns: int) -> StreamStopped | None:
    """The refusal, if the fence keeps `entry` from starting; the entry is then `never_started`."""
    if stream is None or stream.stopped_ns is None:
        return None
    if mode != "refuse":
        _let_through(journal, stream, entry, mode, at_ns)
        return None
    skipped = journal.move(entry, Step.SKIP, at_ns, reason=REASON)
    return refusal(skipped, stream)


def _let_through(journal: Journal, stream: StreamRow, entry: Entry, mode: str, at_ns: int) -> None:
    assert stream.stopped_ns is not None  # noqa: S101 - the caller looked
    journal.note("late", at_ns, entry, detail=f"fence {mode}")
    journal.facts.append(Late(entry, stream.stopped_ns))


def refusal(entry: Entry, stream: StreamRow) -> StreamStopped:
    """The error for an effect that the fence keeps back."""
    what = stream.outcome or "cancelled"
    return StreamStopped(entry, f"{entry.tool} was not started: its stream {stream.ref} was {what} before")
