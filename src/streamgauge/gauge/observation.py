"""One observed stream from call to report; to users it is the handle that `streamgauge.of()` and `current()` give.

It joins recorder, tap, span and the connection's close, and seals exactly once, on whichever way out comes first. It
holds no strong reference to anything of the SDK, so that it never keeps a stream alive."""

import inspect
import logging
import os
import threading
import weakref
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from streamgauge.analysis import Context, LoopReport, StreamReport, analyse
from streamgauge.analysis.loops import Loop, LoopDetector
from streamgauge.analysis.outcome import ending
from streamgauge.events import Sink
from streamgauge.gauge.connection import shut_down, when_closed
from streamgauge.gauge.falls import HelperFellError, helper_fell
from streamgauge.gauge.guard import Guard, guarded
from streamgauge.names import FailureMode, Initiator, Outcome, Phase, State
from streamgauge.providers import Request, describe
from streamgauge.recording import Call, End, EndCause, Recorder, Step
from streamgauge.signals import Span, span_ids
from streamgauge.tap import Tap, finalising, frame_of

if TYPE_CHECKING:
    from streamgauge.gauge.wiring import Gauge

log = logging.getLogger("streamgauge")

_STEPS = {
    Outcome.COMPLETED: Step.COMPLETE,
    Outcome.LENGTH_LIMITED: Step.COMPLETE,
    Outcome.CONTENT_FILTERED: Step.COMPLETE,
    Outcome.CANCELLED: Step.INTERRUPT,
    Outcome.ABANDONED: Step.INTERRUPT,
    Outcome.DETACHED: Step.INTERRUPT,
}


class Observation:
    """A stream being observed: who it is, what it is doing, and its report once it is sealed."""

    def __init__(
        self,
        gauge: "Gauge",
        call: Call,
        recorder: Recorder,
        span: Span,
        labels: dict[str, Any],
        *,
        request: Request,
        loops: LoopDetector | None = None,
    ) -> None:
        self.guard: Guard = gauge.guard
        self.call = call
        self.recorder = recorder
        self.span = span
        self.labels = labels
        self.report: StreamReport | None = None
        self.stalls_told = 0
        self.stall_told_since: int | None = None
        self.dropping = False
        self.successor: Observation | None = None
        self._gauge = gauge
        self._loops = loops
        self.request = request
        self._tap = Tap(recorder, gauge.clock.monotonic_ns, self._left, gauge.guard.report)
        self._tapped = False
        self._sealing = threading.Lock()
        self._sealed = False
        self.sealed = threading.Event()
        self._closed_ns: int | None = None
        self._by_caller = self._fell = False
        self._response: weakref.ref[Any] | None = None
        self._iterator: weakref.ref[Any] | None = None
        self._asynchronous = False
        self._process = os.getpid()

    # what users see

    @property
    def id(self) -> str:
        """The stream's id, the same on span, report and ledger."""
        return self.call.stream_id

    @property
    def state(self) -> State:
        """Where the stream is in its life."""
        return self.recorder.state

    @property
    def phase(self) -> Phase:
        """What the stream is doing, or was doing when it ended."""
        return self.recorder.phase

    @property
    def elapsed(self) -> float:
        """Seconds since the call, up to now or to the end."""
        record = self.recorder.record
        until = self._gauge.clock.monotonic_ns() if record is None else record.ended_ns
        return (until - self.call.started_ns) / 1e9

    @property
    def counts(self) -> dict[str, int]:
        """Chunks, and characters by kind, so far."""
        recorder = self.recorder
        return {
            "chunks": recorder.chunks,
            "text": recorder.text_characters,
            "reasoning": recorder.reasoning_characters,
            "tool_call": recorder.tool_characters,
        }

    @property
    def latest(self) -> "Observation":
        """This handle, or the one that goes on with its stream after it was given up and read again."""
        return self if self.successor is None else self.successor.latest

    @property
    def answered(self) -> bool:
        """Whether the call is over: it has its answer, or its end."""
        return self._response is not None or self._sealed

    def __repr__(self) -> str:
        ended = self.report.outcome.value if self.report else self.state.value
        return f"<Observation {self.id} {ended}>"

    # what happens to the call

    @guarded("request")
    def attempt(self) -> None:
        """One more request goes out."""
        self.recorder.attempt(self._gauge.clock.monotonic_ns())

    @guarded("request")
    def bind(self, response: Any) -> None:
        """This HTTP response carries the stream: watch its close, and its end without one."""
        if self._response is not None or response is None or self._sealed:
            return
        self._response = weakref.ref(response, self._dropped)
        self._gauge.bind(response, self)
        status = getattr(response, "status_code", None)
        self.recorder.opened(status if isinstance(status, int) else None, self._gauge.clock.monotonic_ns())
        self._asynchronous = when_closed(response, self._closing, self._closed)

    @guarded("request")
    def follow(self, iterator: Any) -> None:
        """The application reads this stream from `iterator`: notice when it drops it."""
        self._iterator = weakref.ref(iterator, self._dropped)
        self._gauge.bind_iterator(iterator, self)
        self.recorder.opened(None, self._gauge.clock.monotonic_ns())

    def wrap(self, source: Any) -> Any:
        """`source`, tapped; a second stream on the same response is left alone."""
        if self._tapped or self._sealed:
            return source
        self._tapped = True
        read: Any = self._tap.read_async if hasattr(source, "__anext__") else self._tap.read
        wrapping = read(source, self._last_words(source))
        wrapping.__name__ = getattr(source, "__name__", wrapping.__name__)
        wrapping.__qualname__ = getattr(source, "__qualname__", wrapping.__qualname__)
        return wrapping

    def _last_words(self, source: Any) -> Callable[[], object] | None:
        """Reads what the SDK keeps to itself once `source` has ended: a frame that is held outlives its generator."""
        api, frame = self.request.api, frame_of(source)
        if api.last_frame is None or frame is None:
            return None
        return partial(self._read_last_frame, api.last_frame, frame, api.frame_name)

    @guarded("read")
    def _read_last_frame(self, read: Callable[[Any, Sink], None], within: FrameType, name: str) -> None:
        frame, recorder = within.f_locals.get(name), self.latest.recorder
        if frame is not None and recorder.error_code is None:
            read(frame, recorder)

    def during_request(self) -> AbstractContextManager[Any]:
        """A block around the request; the span is current in it if the settings ask for that."""
        return self._gauge.signals.during_request(self.span)

    def refused(self, error: BaseException) -> None:
        """The call ended before there was a stream."""
        if not self.recorder.attempts:
            self.attempt()
        self._left(EndCause.FAILED if isinstance(error, Exception) else EndCause.INTERRUPTED, error)

    # ways out

    @guarded("close")
    def _closing(self, body: Any) -> None:
        if self.successor is not None:
            self.successor._closing(body)
        if self._sealed or self._tap.finishing or self._tap.running():
            return
        if self._tapped and finalising(body):
            self._defer(EndCause.DROPPED)
            return
        self._by_caller = True
        self._fell = self._tapped and not self.recorder.cancel_requested and helper_fell()
        if not self._fell:
            self._note_cancel(Initiator.UNKNOWN)

    @guarded("close")
    def _closed(self) -> None:
        if self.successor is not None:
            self.successor._closed()
        self._closed_ns = self._gauge.clock.monotonic_ns()
        if not self._by_caller or self._sealed:
            return
        if not self._tapped and self._read_by_hand():
            self.discard("raw_body")
        elif self._fell:
            self._left(EndCause.FAILED, HelperFellError())
        else:
            self._left(EndCause.CLOSED, None)

    def _read_by_hand(self) -> bool:
        response = self._response() if self._response is not None else None
        return bool(getattr(response, "num_bytes_downloaded", 0))

    def _dropped(self, _reference: object) -> None:
        self._defer(EndCause.DROPPED)

    def _left(self, cause: EndCause, error: BaseException | None) -> None:
        if self.successor is not None:
            self.successor._left(cause, error)
        elif cause is EndCause.DROPPED:
            self._defer(cause)
        else:
            self.seal(cause, error)

    def _defer(self, cause: EndCause) -> None:
        # may run inside the garbage collector, within anybody's lock: only note it, the watchdog seals
        if not self._sealed:
            self.dropping = True
            self._gauge.later(self, cause, self._gauge.clock.monotonic_ns())

    @guarded("seal")
    def _note_cancel(self, initiator: Initiator) -> None:
        now = self._gauge.clock.monotonic_ns()
        if not self.recorder.cancel_requested:
            self.recorder.cancel(initiator, now)
            if initiator is not Initiator.UNKNOWN:
                self._gauge.cancelled(self, initiator, now)

    def cancel(self, initiator: Initiator) -> Awaitable[None] | None:
        """Say who ends the stream, and end it; an awaitable is given back when the close is asynchronous.

        One that was given up as abandoned is still let go of. A process that was forked off while the stream was open
        ends nothing: the connection is its parent's.
        """
        if self._process != os.getpid():
            self._say_whose()
            return None
        if not self._sealed:
            self._note_cancel(initiator)
        self._tap.ending = True
        response = self._response() if self._response is not None else None
        if response is None:
            return self._cancel_iterator()
        if self._asynchronous:
            closing = response.aclose()
            assert inspect.isawaitable(closing)  # noqa: S101 - an async body has an async close
            return closing
        if self.recorder.waiting and not self._tap.running() and shut_down(response):
            return None
        response.close()
        return None

    def _say_whose(self) -> None:
        # a shutdown, and the farewell of TLS or HTTP/2, would end the stream under the parent, which reads on
        if self.report is None:
            log.warning("cancel() in a forked process ends nothing: stream %s is process %d's", self.id, self._process)

    def _cancel_iterator(self) -> Awaitable[None] | None:
        iterator = self._iterator() if self._iterator is not None else None
        if iterator is None:
            return None
        if hasattr(iterator, "aclose"):
            closing: Awaitable[None] = iterator.aclose()
            return closing
        if not iterator.gi_running:
            iterator.close()
        return None

    # the end

    def catch_up(self) -> None:
        """Know of the read that goes on: the tap tells the recorder that it began with, not one that took over."""
        if self._tap.recorder is not self.recorder:
            self.recorder.asked_elsewhere(self._tap.recorder.asked)

    def abandon(self, now: int) -> None:
        """Nobody read on for too long: seal, and go on as a new, linked observation should somebody read after all."""
        if not self._tapped and self._read_by_hand():
            self.discard("raw_body")
            return
        self.recorder.divert(self._read_on)
        self.seal(EndCause.IDLE, None, now)

    def disown(self) -> None:
        """This process was forked off while the stream was open: the one that began the stream tells of it."""
        self._sealing, self.sealed = threading.Lock(), threading.Event()
        self._sealed = True
        self.sealed.set()
        self.recorder.divert(_unseen)

    def _read_on(self, chunk: Any, asked: int, now: int) -> None:
        if self.successor is None and self._process == os.getpid():
            self._continue()
        successor = self.successor
        if successor is not None:
            successor.recorder.take(chunk, asked, now)

    def _continue(self) -> None:
        successor = self._gauge.successor(self)
        if successor is None:
            return
        successor._tap, successor._tapped, successor._response = self._tap, True, self._response
        response = self._response() if self._response is not None else None
        if response is not None:
            self._gauge.bind(response, successor)
        self.successor = successor

    def seal(self, cause: EndCause, error: BaseException | None = None, at: int | None = None) -> None:
        """Close the books, once; whatever comes later changes nothing."""
        with self._sealing:
            if self._sealed:
                return
            self._sealed = True
        if self._tap.broken:
            self._drop("internal_error")
        else:
            self._seal(cause, error, at)
        self._gone(for_good=cause is not EndCause.IDLE)

    def _gone(self, *, for_good: bool) -> None:
        self._gauge.gone(self)
        self.sealed.set()
        if for_good:  # nothing leads round in a circle: the books are freed with their last reader, not by a search
            self._tap.retire()
            self._response = self._iterator = None

    def discard(self, reason: str) -> None:
        """Nothing true can be said of this stream: it is counted as dropped, and not reported."""
        with self._sealing:
            if self._sealed:
                return
            self._sealed = True
        self._drop(reason)
        self._gone(for_good=True)

    @guarded("seal")
    def _drop(self, reason: str) -> None:
        self._gauge.signals.metrics.drop(reason)

    @guarded("seal")
    def _seal(self, cause: EndCause, error: BaseException | None, at: int | None) -> None:
        gauge, recorder = self._gauge, self.recorder
        now = gauge.clock.monotonic_ns() if at is None else at
        if cause is EndCause.INTERRUPTED and not recorder.cancel_requested:
            recorder.cancel(Initiator.UNKNOWN, now)
        self.catch_up()
        record = recorder.seal(_end(cause, error), now, closed_ns=self._closed_ns, event_budget=gauge.event_budget)
        settings = gauge.settings
        trace_id, span_id = span_ids(self.span)
        recorder.step(_STEPS.get(ending(record).outcome, Step.FAIL), now)
        report = analyse(
            record,
            recorder.state,
            Context(
                self._loop(),
                int(settings.fluidity_first * 1e9),
                int(settings.fluidity_next * 1e9),
                trace_id,
                span_id,
            ),
        )
        self.report = gauge.judged(report)
        if recorder.read_errors:
            self.guard.count("read", recorder.read_errors)
        gauge.emit(self)

    def _loop(self) -> LoopReport | None:
        loop = self._loops.finish() if self._loops is not None else None
        return None if loop is None else loop_report(loop)


def _unseen(_chunk: Any, _asked: int, _now: int) -> None:
    """Stand in for the heir of a stream that another process tells of."""


def loop_report(loop: Loop) -> LoopReport:
    """What a report says of a loop."""
    return LoopReport(loop.period, loop.repeats, loop.start, loop.share, loop.kind == "suspect")


def _end(cause: EndCause, error: BaseException | None) -> End:
    if error is None or cause is not EndCause.FAILED:
        return End(cause)
    if isinstance(error, HelperFellError):
        return End(cause, FailureMode.MALFORMED_STREAM.value, malformed=True)
    told = describe(error)
    return End(cause, told.error_type, told.status, told.timeout, told.network, told.malformed, told.provider)
