"""Tool calls of one stream: judged by piece while they arrive, and forgotten but for hash and length."""

from collections.abc import Callable
from typing import Protocol

from streamgauge.recording.record import ToolCall


class Judgement(Protocol):
    """Reads the arguments of one call, piece by piece, and holds no more of them than it must."""

    def feed(self, piece: str) -> None:
        """The next piece."""
        ...

    def verdict(self, complete: bool) -> tuple[bool | None, str]:
        """Whether they parse, or, if they were cut, False if they never could have; and their hash."""
        ...


Judge = Callable[[], Judgement]
"""Makes the judgement of one call."""

KEPT_CALLS = 64


class OpenCall:
    """One tool call whose arguments are still arriving."""

    __slots__ = ("free_form", "id", "judgement", "length", "name", "started")

    def __init__(
        self, call_id: str | None, name: str | None, started: int, free_form: bool, judgement: Judgement
    ) -> None:
        self.id, self.name, self.started, self.free_form = call_id, name, started, free_form
        self.judgement = judgement
        self.length = 0

    def add(self, piece: str) -> None:
        """One more piece."""
        self.length += len(piece)
        self.judgement.feed(piece)


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
        self.open[key] = OpenCall(call_id, name, now, free_form, self._judge())

    def end(self, key: object, now: int | None) -> bool:
        """The call `key` is complete, or, without a time, was cut; False if there is no such call."""
        call = self.open.pop(key, None)
        if call is None:
            return False
        if len(self._done) < KEPT_CALLS:
            self._done.append(self._closed(call, now))
        return True

    def _closed(self, call: OpenCall, now: int | None) -> ToolCall:
        complete = now is not None
        well_formed, digest = call.judgement.verdict(complete)
        if call.free_form:
            well_formed = None
        return ToolCall(call.id, call.name, complete, well_formed, digest, call.length, call.started, now)

    def ids(self) -> frozenset[str]:
        """Ids of all calls, open or not."""
        calls: tuple[OpenCall | ToolCall, ...] = (*self.open.values(), *self._done)
        return frozenset(call.id for call in calls if call.id is not None)

    def sealed(self) -> tuple[ToolCall, ...]:
        """All calls; those still open were cut."""
        for key in tuple(self.open):
            self.end(key, None)
        return tuple(self._done)
