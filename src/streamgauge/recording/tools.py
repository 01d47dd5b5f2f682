"""Tool calls of one stream: collected by piece, judged when complete, and forgotten but for hash and length."""

from collections.abc import Callable

from streamgauge.recording.record import ToolCall

Judgement = tuple[bool, str]
Judge = Callable[[str], Judgement]
"""Says of complete arguments whether they parse, and their hash."""

KEPT_CALLS = 64
LONGEST = 262_144
"""Characters of arguments that are held until they are complete; longer ones are not judged."""


class OpenCall:
    """One tool call whose arguments are still arriving."""

    __slots__ = ("free_form", "id", "length", "name", "pieces", "started")

    def __init__(self, call_id: str | None, name: str | None, started: int, free_form: bool) -> None:
        self.id, self.name, self.started, self.free_form = call_id, name, started, free_form
        self.pieces: list[str] = []
        self.length = 0

    def add(self, piece: str) -> None:
        """One more piece; beyond `LONGEST` only its length counts."""
        self.length += len(piece)
        if self.length <= LONGEST:
            self.pieces.append(piece)
        else:
            self.pieces.clear()


class ToolCalls:
    """All tool calls of a stream, of which the first `KEPT_CALLS` are kept."""

    __slots__ = ("_done", "_judge", "count", "open")

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.open: dict[object, OpenCall] = {}
        self._done: list[ToolCall] = []
        self.count = 0

    def begin(self, key: object, call_id: str | None, name: str | None, now: int, free_form: bool) -> None:
        """A call begins; one of the same key that is still open is complete."""
        if key in self.open:
            self.end(key, now)
        self.count += 1
        self.open[key] = OpenCall(call_id, name, now, free_form)

    def end(self, key: object, now: int | None) -> bool:
        """The call `key` is complete, or, without a time, was cut; False if there is no such call."""
        call = self.open.pop(key, None)
        if call is None:
            return False
        if len(self._done) < KEPT_CALLS:
            self._done.append(self._closed(call, now))
        return True

    def _closed(self, call: OpenCall, now: int | None) -> ToolCall:
        well_formed, digest = None, None
        if call.length <= LONGEST:
            well_formed, digest = self._judge("".join(call.pieces))
        complete = now is not None
        judged = complete and not call.free_form
        return ToolCall(
            call.id, call.name, complete, well_formed if judged else None, digest, call.length, call.started, now
        )

    def ids(self) -> frozenset[str]:
        """Ids of all calls, open or not."""
        calls: tuple[OpenCall | ToolCall, ...] = (*self.open.values(), *self._done)
        return frozenset(call.id for call in calls if call.id is not None)

    def sealed(self) -> tuple[ToolCall, ...]:
        """All calls; those still open were cut."""
        for key in tuple(self.open):
            self.end(key, None)
        return tuple(self._done)
