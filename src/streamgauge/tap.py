"""Room 3a, the tap: stands in the stream's way, hands every chunk on unchanged and knows the ways a stream can end.

In: the raw iterator that a provider's file names. Out: a plain generator in its place, which feeds the recorder and
tells once how the stream was left. The logic is here once; `read` and `read_async` are thin loops over it. No event
loop is needed: a `BaseException` that is no `Exception` is a cancellation, asyncio's and trio's alike. Nothing stays
attached across a `yield`."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any

from streamgauge.recording import EndCause, Recorder

Left = Callable[[EndCause, BaseException | None], None]
Report = Callable[[str, Exception], None]
LastWords = Callable[[], object] | None


class Tap:
    """One stream's tap; `left` is told once per way out, `report` of errors of our own, which the caller never sees."""

    __slots__ = ("_clock", "_left", "_report", "broken", "ending", "finishing", "recorder")

    def __init__(self, recorder: Recorder, clock: Callable[[], int], left: Left, report: Report) -> None:
        self.recorder = recorder
        self._clock = clock
        self._left = left
        self._report = report
        self.finishing = False
        self.ending = False
        self.broken = False

    def read(self, source: Iterator[Any], last_words: LastWords = None) -> Iterator[Any]:
        """The chunks of `source`, each seen on its way; `last_words` is called when it has ended or failed."""
        recorder, clock = self.recorder, self._clock
        look, pieces, asked_at, arrived_at = recorder.look, recorder.pieces, recorder.asked_at, recorder.arrived_at
        room = 0
        asked_at.append(clock())
        try:
            for chunk in source:
                try:
                    arrived_at.append(clock())
                    try:
                        piece = look(chunk, recorder)
                    except Exception:
                        piece = recorder.unreadable()
                    if piece and len(pieces) < room:
                        pieces.append(piece)
                    else:
                        room = recorder.account(chunk, piece)
                except Exception as error:
                    self._broken(error)
                yield chunk
                asked_at.append(clock())
        except GeneratorExit:
            self.finishing = True
            try:
                _close(source)
            finally:
                self._left(EndCause.DROPPED, None)
            raise
        except BaseException as error:
            _hear(last_words)
            if self._raised(error):
                return
            raise
        _hear(last_words)
        self._left(EndCause.EXHAUSTED, None)

    async def read_async(self, source: AsyncIterator[Any], last_words: LastWords = None) -> AsyncIterator[Any]:
        """The chunks of `source`, each seen on its way; `last_words` is called when it has ended or failed."""
        recorder, clock = self.recorder, self._clock
        look, pieces, asked_at, arrived_at = recorder.look, recorder.pieces, recorder.asked_at, recorder.arrived_at
        room = 0
        asked_at.append(clock())
        try:
            async for chunk in source:
                try:
                    arrived_at.append(clock())
                    try:
                        piece = look(chunk, recorder)
                    except Exception:
                        piece = recorder.unreadable()
                    if piece and len(pieces) < room:
                        pieces.append(piece)
                    else:
                        room = recorder.account(chunk, piece)
                except Exception as error:
                    self._broken(error)
                yield chunk
                asked_at.append(clock())
        except GeneratorExit:
            # `source` is not closed here: its own finaliser does it, and may be at it already when both are garbage
            self.finishing = True
            self._left(EndCause.DROPPED, None)
            raise
        except BaseException as error:
            _hear(last_words)
            if self._raised(error):
                return
            raise
        _hear(last_words)
        self._left(EndCause.EXHAUSTED, None)

    def _broken(self, error: Exception) -> None:
        """The books are wrong from now on: they are told of once, and hold nothing; the caller's chunks go by."""
        for held in (self.recorder.pieces, self.recorder.asked_at, self.recorder.arrived_at):
            held.clear()
        if not self.broken:
            self.broken = True
            self._report("feed", error)

    def _raised(self, error: BaseException) -> bool:
        """Tell of `error`; True if it is the echo of a cancel that was asked of us, and the iteration is to end
        quietly.
        """
        quiet = self.ending and isinstance(error, Exception)
        self._left(EndCause.FAILED if isinstance(error, Exception) else EndCause.INTERRUPTED, error)
        return quiet

    def retire(self) -> None:
        """Nobody wants to be told any more."""
        self._left = _untold

    def running(self) -> bool:
        """Whether this tap's generator is on the stack of the thread or task that asks."""
        return any(frame.f_code in _LOOPS and frame.f_locals.get("self") is self for frame in _stack())


_LOOPS: frozenset[CodeType] = frozenset({Tap.read.__code__, Tap.read_async.__code__})


_READERS = frozenset({"__stream__", "iter_bytes", "iter_raw", "aiter_bytes", "aiter_raw"})


def finalising(body: Any) -> bool:
    """Whether a generator of the SDK or its HTTP client over the response with this `body` is on the asker's stack.

    If one is, and the tap is not, the generators are finalised one by one, in any order: nobody closed the stream.
    """
    return any(frame.f_code.co_name in _READERS and _reads(frame.f_locals, body) for frame in _stack())


def _reads(variables: Mapping[str, Any], body: Any) -> bool:
    return any(getattr(variables.get(name), "stream", None) is body for name in ("response", "self"))


def _stack() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def frame_of(generator: Any) -> FrameType | None:
    """The frame that a generator runs in, sync or async; None for anything else, and for one that has ended."""
    frame = getattr(generator, "gi_frame", None) or getattr(generator, "ag_frame", None)
    return frame if isinstance(frame, FrameType) else None


def _hear(last_words: LastWords) -> None:
    if last_words is not None:
        last_words()


def _untold(_cause: EndCause, _error: BaseException | None) -> None:
    """The stream is sealed: how it is left changes nothing."""


def _close(source: Any) -> None:
    close = getattr(source, "close", None)
    if close is not None:
        close()
