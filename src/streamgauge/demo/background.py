"""Responses in background mode: generation that goes on without a reader, for readers to come back to.

In: a call of the Responses API. Out: its frames, each at the moment at which it is due, from any number on; the
response object as it stands now. Nothing runs in the background: what is due follows from the time since the start.
"""

import time
from collections.abc import Iterator

from streamgauge.demo.script import Frame, Step, Wait, paced
from streamgauge.demo.wire.dialect import JSON, Call, Dialect
from streamgauge.demo.wire.responses import snapshot


class Background:
    """One background response, from its start on."""

    def __init__(self, call: Call, dialect: Dialect) -> None:
        self._call = call
        self._started = time.monotonic_ns()
        self._cancelled: float | None = None
        self._frames: list[tuple[float, Frame]] = []
        due = 0.0
        for step in paced(dialect.frames(call), call.script):
            if isinstance(step, Wait):
                due += step.ms
            elif isinstance(step, Frame):
                self._frames.append((due, step))
        call.output.clear()

    @property
    def call(self) -> Call:
        """The call that started it."""
        return self._call

    def steps(self, after: int = -1) -> Iterator[Step]:
        """The frames whose sequence number is greater than `after`, as they fall due; the end when it is cancelled."""
        for due, frame in self._frames:
            if _number(frame) <= after:
                continue
            wait = min(due, self._until()) - self._elapsed()
            if wait > 0:
                yield Wait(wait)
            if due > self._until():
                return
            yield frame

    def cancel(self) -> JSON:
        """Stop generating, now, unless it has ended already."""
        if self._cancelled is None:
            self._cancelled = self._elapsed()
        return self.state()

    def state(self) -> JSON:
        """The response object as it stands now."""
        out = [frame for due, frame in self._frames if due <= min(self._elapsed(), self._until())]
        if len(out) == len(self._frames):
            return _body(out[-1])["response"]  # type: ignore[no-any-return]
        items = [_body(frame)["item"] for frame in out if frame.event == "response.output_item.done"]
        return {**snapshot(self._call, "in_progress" if self._cancelled is None else "cancelled"), "output": items}

    def _elapsed(self) -> float:
        return (time.monotonic_ns() - self._started) / 1e6

    def _until(self) -> float:
        return float("inf") if self._cancelled is None else self._cancelled


def _body(frame: Frame) -> JSON:
    assert isinstance(frame.payload, dict)  # noqa: S101 - all frames of this API are objects
    return frame.payload


def _number(frame: Frame) -> int:
    return int(_body(frame)["sequence_number"])
