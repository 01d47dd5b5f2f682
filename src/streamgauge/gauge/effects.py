"""Joins streams with the ledger of their side effects, once the application uses one.

The ledger knows streams by their id. It is told of a cancel at once (the fence), of the end when the stream is
sealed, and of the tool calls seen; a stream that touched nothing costs it one look-up. Without a ledger in use
nothing here does anything.

Nothing tells a thread that it has done with a stream: the context of a pool's thread stays that of the last stream
it read. So an open stream is the origin of whatever happens in its context, and one that has ended only of the tools
that it called."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from streamgauge.ledger.context import lookups
from streamgauge.ledger.current import current_ledger
from streamgauge.ledger.identity import SEPARATOR, Origin
from streamgauge.names import Initiator

if TYPE_CHECKING:
    from streamgauge.analysis import StreamReport
    from streamgauge.gauge.observation import Observation
    from streamgauge.ledger.ledger import Ledger

REMEMBERED_CALLS, REMEMBERED_ENDS = 4096, 1024


class Bridge:
    """Between the gauge's streams and the ledger in use."""

    def __init__(
        self,
        find: Callable[[str], "Observation | None"],
        open_streams: Callable[[], Iterable["Observation"]],
        listen: Callable[["Ledger"], Callable[[Any], None]],
    ) -> None:
        self._find, self._open, self._listen = find, open_streams, listen
        self._calls: OrderedDict[str, str] = OrderedDict()
        self._responses: OrderedDict[str, str] = OrderedDict()
        self._listening: Ledger | None = None
        self._lock = threading.Lock()
        self._touched: set[str] = set()
        self._untold: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def install(
        self, current: Callable[[], "Observation | None"], attempt: Callable[..., Any], *, listening: bool
    ) -> None:
        """Let effects find the stream that they came from; with `listening`, the signals hear of every effect from
        the first one on, whether or not there is a stream.
        """
        lookups.current_stream = lambda tool: _origin(current(), tool)
        lookups.lives_here = self._lives_here
        lookups.tool_call = self.tool_call
        lookups.response_id = self._response_id
        lookups.shown_chars = self._shown
        lookups.opened = lambda _ledger: attempt("ledger", self.ledger) if listening else None
        lookups.opened(None)

    def forked(self) -> None:
        """A child of a fork: what its parent's threads were about is theirs."""
        self._lock = threading.Lock()
        self._touched.clear()

    def ledger(self) -> "Ledger | None":
        """The ledger in use, if there is one; the signals listen to it from now on."""
        ledger = current_ledger(open_default=False)
        if ledger is not None and ledger is not self._listening:
            self._listening = ledger
            ledger.on_change(self._listen(ledger))
        return ledger

    def tool_call(self, call: object) -> str | None:
        """Reference of a tool call seen in a stream of this process, by its id."""
        call_id = call if isinstance(call, str) else None
        if call_id is None:
            return None
        stream = self._calls.get(call_id) or next(
            (observation.id for observation in self._open() if call_id in observation.recorder.tool_call_ids()), None
        )
        return None if stream is None else Origin(stream, call_id, response_id=self._response_id(stream)).reference

    def _response_id(self, stream_id: str) -> str | None:
        observation = self._find(stream_id)
        known = self._responses.get(stream_id) if observation is None else observation.recorder.response_id
        return None if known is None or SEPARATOR in known else known

    def _shown(self, stream_id: str) -> int | None:
        observation = self._find(stream_id)
        return None if observation is None else observation.counts["text"]

    def _lives_here(self, stream_id: str) -> bool:
        """Whether the stream is open; its end, or one that was not told because nothing had come of it, is told."""
        with self._lock:
            live = self._find(stream_id) is not None
            if live:
                self._touched.add(stream_id)
            end = self._untold.pop(stream_id, None)
        ledger = self.ledger()
        if end is not None and ledger is not None:
            ledger.end_stream(stream_id, **end)
        return live

    def _wanted(self, stream_id: str, end: dict[str, Any], *, called: bool) -> bool:
        """Whether the ledger has to know the end of a stream; else it is kept for an effect that comes late."""
        with self._lock:
            touched = stream_id in self._touched
            self._touched.discard(stream_id)
            if not (called or touched):
                _remember(self._untold, stream_id, end, REMEMBERED_ENDS)
            return called or touched

    def cancelled(self, ledger: "Ledger", stream_id: str, initiator: Initiator) -> None:
        """Put the fence up, before the connection is closed."""
        ledger.cancel(stream_id, initiator.value)

    def sealed(self, ledger: "Ledger", report: "StreamReport") -> None:
        """Tell the ledger how the stream ended, and which tool calls it saw."""
        if report.response_id is not None:
            _remember(self._responses, report.stream_id, report.response_id, REMEMBERED_CALLS)
        for call in report.tool_calls:
            if call.id is not None:
                _remember(self._calls, call.id, report.stream_id, REMEMBERED_CALLS)
                ledger.observe_tool_call(report.stream_id, call.id, call.name or "", call.arguments_hash, call.complete)
        end = _end(report)
        wanted = self._wanted(report.stream_id, end, called=bool(report.tool_calls))
        ledger.end_stream(report.stream_id, **end, only_if_known=not wanted)


def _end(report: "StreamReport") -> dict[str, Any]:
    """What the ledger is told of an end."""
    cancel, usage = report.cancel, report.usage
    return {
        "outcome": report.outcome.value,
        "initiator": cancel.initiator.value if cancel is not None else None,
        "phase": cancel.phase.value if cancel is not None else None,
        "failure_mode": report.failure_mode.value if report.failure_mode is not None else None,
        "shown_chars": report.characters.text,
        "usage": {
            "provenance": usage.provenance.value,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
        },
        "response_id": None if SEPARATOR in (report.response_id or "") else report.response_id,
        "trace": {"trace_id": report.trace_id, "span_id": report.span_id} if report.trace_id else None,
    }


def _remember(things: OrderedDict[str, Any], name: str, thing: Any, limit: int) -> None:
    things[name] = thing
    while len(things) > limit:
        things.popitem(last=False)


def _origin(observation: "Observation | None", tool: str) -> str | None:
    if observation is None:
        return None
    observation = observation.latest
    record = observation.recorder.record
    if record is None:
        return None if observation.sealed.is_set() else observation.id
    return observation.id if any(call.name == tool for call in record.tool_calls) else None
