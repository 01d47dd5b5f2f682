"""A journal that reads nothing: what would be looked at is taken for what it mostly is, and what was taken for what is
left to the database, which looks when it writes.

Comes in: the same questions as to any journal. Goes out: changes, with what was supposed. A process that asks nothing
waits once for the database where it would wait once per question.
"""

from collections.abc import Sequence

from streamgauge.ledger.entry import StreamRow
from streamgauge.ledger.journal import Journal
from streamgauge.ledger.states import UNSETTLED
from streamgauge.ledger.writing import Changes, Supposed


class BlindJournal(Journal):
    """For one entry, which is new or moves, and at most one stream."""

    _supposed: Supposed | None = None
    _keys: Sequence[str] = ()

    def stream(self, ref: str) -> StreamRow | None:  # noqa: ARG002 - whichever it is
        """Not looked at."""
        return None

    def begin_stream(self, stream: StreamRow) -> StreamRow:
        """The stream is running."""
        self._supposed = Supposed(stream, starts=True)
        return stream

    def streams_of(self, response_id: str) -> list[str]:  # noqa: ARG002 - whichever it is
        """Nobody else carries the answer."""
        return []

    def known(self, keys: list[str]) -> set[str]:
        """Nothing was done under any of them."""
        self._keys = keys
        return set()

    def touch(self, ref: str, at_ns: int) -> None:
        """Nothing is to be told of the stream yet: it has something that is not settled, or has not ended."""
        self._supposed = self._supposed or Supposed(StreamRow(ref, at_ns, changed_ns=at_ns))

    def changes(self) -> Changes:
        """What was collected, and what it rests on."""
        changes = super().changes()
        supposed = changes.supposed = self._supposed
        if supposed is not None:
            entry = changes.entry
            supposed.undecided = entry.state not in UNSETTLED
            supposed.by_call = supposed.starts and entry.tool_call_id is not None
            supposed.other_key = next((key for key in self._keys if key != entry.key), None)
        return changes
