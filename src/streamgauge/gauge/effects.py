"""Joins streams with the ledger of their side effects, once the application uses one.

The ledger knows streams by their id. It is told of a cancel at once (the fence), of the end when the stream is
sealed, and of the tool calls seen; a stream that touched nothing costs it one look-up. Without a ledger in use
nothing here does anything.

Nothing tells a thread that it has done with a stream: the context of a pool's thread stays that of the last stream
it read. So an open stream is the origin of whatever happens in its context, and one that has ended only of the tools
that it called.

A process may have several gauges but has one ledger in use: an effect finds the stream of any gauge, and is told to
the signals of one, that of `instrument()` if there is one, else of the gauge that was made last."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, TypeVar

from streamgauge.ledger.context import lookups
from streamgauge.ledger.current import current_ledger
from streamgauge.ledger.identity import SEPARATOR, Origin
from streamgauge.ledger.offload import in_asyncio, later
from streamgauge.names import Initiator

if TYPE_CHECKING:
    from streamgauge.analysis import StreamReport
    from streamgauge.gauge.observation import Observation
    from streamgauge.ledger.ledger import Ledger

T = TypeVar("T")

REMEMBERED_CALLS, REMEMBERED_ENDS = 4096, 1024


class Bridge:
    """Between the gauge's streams and the ledger in use."""

    def __init__(
        self,
        find: Callable[[str], "Observation | None"],
        open_streams: Callable[[], Iterable["Observation"]],
        listen: Callable[[Any], Callable[[Any], None]],
    ) -> None:
        self._find, self._open, self._listen = find, open_streams, listen
        self._calls: OrderedDict[str, str] = OrderedDict()
        self._responses: OrderedDict[str, str] = OrderedDict()
        self._listeners: weakref.WeakKeyDictionary[Ledger, Callable[[Any], None]] = weakref.WeakKeyDictionary()
        self.listening = self.first = self.retired = False
        self._lock = threading.Lock()
        self._touched: set[str] = set()
        self._untold: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._pending: dict[str, Future[Any]] = {}
        self._attempt: Callable[..., Any] = _plainly

    def install(
        self, current: Callable[[], "Observation | None"], attempt: Callable[..., Any], *, listening: bool
    ) -> None:
        """Let effects find the stream that they came from; with `listening`, the signals may hear of every effect from
        the first one on, whether or not there is a stream.
        """
        self.listening, self._attempt = listening, attempt
        _bridges[:] = [reference for reference in _bridges if reference() is not None] + [weakref.ref(self)]
        lookups.current_stream = lambda tool: _origin(current(), tool)
        lookups.lives_here = lambda ref: any(bridge.lives_here(ref) for bridge in _alive())
        lookups.tool_call = lambda call: _first(bridge.tool_call(call) for bridge in _alive())
        lookups.response_id = lambda ref: _first(bridge.response_id(ref) for bridge in _alive())
        lookups.shown_chars = lambda ref: _first(bridge.shown(ref) for bridge in _alive())
        lookups.told = _told
        lookups.opened = lambda _ledger: attempt("ledger", _heard)
        lookups.opened(None)

    def speak(self) -> None:
        """Effects are told to the signals of this gauge before any other's."""
        self.first = True
        _heard()

    def retire(self) -> None:
        """Nothing new is observed: once the open streams have ended, effects are told to another gauge."""
        self.first, self.retired = False, True

    @property
    def speaks(self) -> bool:
        """Whether effects may be told to this gauge's signals."""
        return self.listening and not (self.retired and not any(self._open()))

    def hear(self, ledger: "Ledger") -> Callable[[Any], None]:
        """The signals' ear for a ledger; made once."""
        ear = self._listeners.get(ledger)
        if ear is None:
            ear = self._listeners[ledger] = self._listen(_Numbers(self, ledger))
        return ear

    def forked(self) -> None:
        """A child of a fork: what its parent's threads were about is theirs."""
        self._lock = threading.Lock()
        self._touched.clear()
        self._pending.clear()

    def tool_call(self, call: object) -> str | None:
        """Reference of a tool call seen in a stream of this process, by its id."""
        call_id = call if isinstance(call, str) else None
        if call_id is None:
            return None
        stream = self._calls.get(call_id) or next(
            (observation.id for observation in self._open() if call_id in observation.recorder.tool_call_ids()), None
        )
        return None if stream is None else Origin(stream, call_id, response_id=self.response_id(stream)).reference

    def response_id(self, stream_id: str) -> str | None:
        """The provider's name for the answer that a stream carries."""
        observation = self._find(stream_id)
        known = self._responses.get(stream_id) if observation is None else observation.recorder.response_id
        return None if known is None or SEPARATOR in known else known

    def shown(self, stream_id: str) -> int | None:
        """Characters of text that an open stream has shown."""
        observation = self._find(stream_id)
        return None if observation is None else observation.counts["text"]

    def lives_here(self, stream_id: str) -> bool:
        """Whether the stream is open; its end, or one that was not told because nothing had come of it, is told."""
        self.told(stream_id)
        with self._lock:
            live = self._find(stream_id) is not None
            if live:
                self._touched.add(stream_id)
            end = self._untold.pop(stream_id, None)
        ledger = ledger_in_use()
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
        calls = [(c.id, c.name or "", c.arguments_hash, c.complete) for c in report.tool_calls if c.id is not None]
        for call_id, *_ in calls:
            _remember(self._calls, call_id, report.stream_id, REMEMBERED_CALLS)
        end = _end(report)
        wanted = self._wanted(report.stream_id, end, called=bool(report.tool_calls))
        self._write(
            report.stream_id,
            lambda: ledger.end_stream(report.stream_id, **end, tool_calls=calls, only_if_known=not wanted),
        )

    def _write(self, stream_id: str, tell: Callable[[], None]) -> None:
        """Now; or, where an event loop would stand still until the disk has it, beside the loop."""
        if not in_asyncio():
            tell()
            return
        with self._lock:
            self._pending[stream_id] = writing = later(lambda: self._attempt("ledger", tell))
        writing.add_done_callback(lambda _: self._pending.pop(stream_id, None))

    def told(self, stream_id: str | None = None) -> None:
        """Wait for the ends that are being written; a cancel is always written at once."""
        pending = [*self._pending.values()] if stream_id is None else [self._pending.get(stream_id)]
        wait(writing for writing in pending if writing is not None)


class _Numbers:
    """The statistics of a ledger, as long as they are this gauge's to tell; None otherwise."""

    def __init__(self, bridge: Bridge, ledger: "Ledger") -> None:
        self._bridge, self._ledger = weakref.ref(bridge), weakref.ref(ledger)

    def statistics(self) -> Any:
        """Asked whenever metrics are collected."""
        ledger = self._ledger()
        told = ledger is not None and ledger is current_ledger(open_default=False) and _speaker() is self._bridge()
        return ledger.statistics() if told and ledger is not None else None


_bridges: list[weakref.ref[Bridge]] = []
_listened: "weakref.WeakSet[Ledger]" = weakref.WeakSet()


def _alive() -> list[Bridge]:
    """Newest first."""
    return [bridge for reference in reversed(_bridges) if (bridge := reference()) is not None]


def _told() -> None:
    for bridge in _alive():
        bridge.told()


def _plainly(_hook: str, function: Callable[[], object]) -> object:
    return function()


def _first(found: Iterable[T | None]) -> T | None:
    return next((each for each in found if each is not None), None)


def _speaker() -> Bridge | None:
    speaking = [bridge for bridge in _alive() if bridge.speaks]
    return next((bridge for bridge in speaking if bridge.first), speaking[0] if speaking else None)


def ledger_in_use() -> "Ledger | None":
    """The ledger in use, if there is one; the signals listen to it from now on."""
    ledger = current_ledger(open_default=False)
    if ledger is not None and ledger not in _listened:
        _listened.add(ledger)
        reference = weakref.ref(ledger)
        ledger.on_change(lambda fact: _tell(reference(), fact))
    return ledger


def _heard() -> None:
    """Let whoever speaks hear the ledger in use from its first effect on."""
    ledger, speaker = ledger_in_use(), _speaker()
    if ledger is not None and speaker is not None:
        speaker.hear(ledger)


def _tell(ledger: "Ledger | None", fact: Any) -> None:
    speaker = _speaker()
    if ledger is not None and speaker is not None:
        speaker.hear(ledger)(fact)


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
