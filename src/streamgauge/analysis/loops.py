"""Loops: a text that repeats itself exactly, found while the stream is still open.

In: the pieces of one channel of one stream (text and reasoning each have a detector of their own). Out: a `Loop`, which
holds numbers and a context word, never text. The text is read and forgotten: no more than `TAIL + LONG_STEP` characters
are held between two pieces. Nothing is ever stopped from here; `on_loop` tells the caller, who may.

Pieces are only gathered. Every `STEP` or `LONG_STEP` characters, at places that do not depend on how the text was cut
into pieces, one step is taken: follow the lag that is being followed, or else look for one (`periods`), and ask how
long a repetition must be in this kind of text to be a loop (`markup`). The length of a loop is counted on, so a loop
can be longer than the tail; its unit cannot.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Literal

from streamgauge.analysis.drift import drift_of
from streamgauge.analysis.markup import LEAST, Context, context_of, needed
from streamgauge.analysis.periods import common_start, recurrence

STEP = 256
"""Characters between two searches until the tail is full."""

LONG_STEP = 2 * STEP
"""Characters between two searches after that. Most of what a search costs is that it was not made lately."""

TAIL = 3072
"""Characters kept: the longest period, a step, and room to see where a loop began."""

_DRIFT_STEPS = 32  # looking for drift costs as much as ten to twenty steps do


@dataclass(frozen=True, slots=True)
class Loop:
    """One repetition; lengths and offsets in characters from the start of the channel.

    `start` is where the periodic run began and `length` how far it went; a run that was older than the tail when it
    was first seen is reported from the tail's start. `share` is `length` over all characters read so far. A `suspect`
    drifts instead of repeating exactly; it is never a finding, and its `period` and `repeats` are 0 where no period
    could be told.
    """

    period: int
    repeats: int
    start: int
    length: int
    share: float
    context: Context
    kind: Literal["exact", "suspect"] = "exact"


class LoopDetector:
    """Reads one text piece by piece and says where it is stuck.

    `feed` takes the next piece, a `str`, and is bound at construction: hold it in a local. `on_loop` is called once
    per loop, inside the `feed` or `finish` that found it, at most a step after it was long enough. What it raises
    reaches nobody: it is kept in `failure`. A loop that is over after less than its period, a step and `NEEDLE`
    characters may pass unseen.
    """

    __slots__ = ("_gathering", "_reader", "feed")

    feed: Callable[[str], None]

    def __init__(self, on_loop: Callable[[Loop], None] | None = None) -> None:
        self._reader = _Reader(on_loop)
        self._gathering = _gather(self._reader)
        next(self._gathering)
        self.feed = self._gathering.send

    @property
    def finding(self) -> Loop | None:
        """The longest exact loop so far, as of the last search; it grows while the loop goes on."""
        return self._reader.finding()

    @property
    def suspect(self) -> Loop | None:
        """The first drifting repetition, if any; a hint, never a finding."""
        return self._reader.suspect

    @property
    def failure(self) -> Exception | None:
        """The last error that `on_loop` raised or a piece met that could not be read; the caller may count it."""
        return self._reader.failure

    def finish(self) -> Loop | None:
        """Read what is still unread and return the finding or, failing that, the suspect; see `Loop.kind`."""
        self._gathering.throw(_Finish())
        return self.finding or self.suspect


class _Finish(Exception):  # noqa: N818 - a message to the generator, not an error
    """Asks `_gather` to hand over what it holds."""


def _gather(reader: "_Reader") -> Generator[None, str, None]:
    # A generator's `send` is the cheapest call with memory that Python has, and `+=` on its local grows in place.
    pending = ""
    while True:
        try:
            while True:
                while len(pending) < reader.step:
                    pending += yield
                pending = reader.read(pending)
        except _Finish:
            reader.finish(pending)
        except Exception as error:
            reader.failure = error
        pending = ""


class _Reader:
    """The tail, the run that is being followed, and the longest loop that is over."""

    __slots__ = (
        "_context", "_end", "_fences", "_lag", "_longest", "_need", "_on_loop", "_read", "_run", "_steps", "_tail",
        "_told", "failure", "step", "suspect",
    )  # fmt: skip

    def __init__(self, on_loop: Callable[[Loop], None] | None) -> None:
        self._on_loop = on_loop
        self._tail = ""
        self._read = self._steps = self._fences = 0
        self.step = STEP
        self._longest: Loop | None = None
        self.suspect: Loop | None = None
        self.failure: Exception | None = None
        self._begin_run(0, 0, 0)

    def read(self, text: str) -> str:
        """Read all whole steps of `text` and return the rest."""
        begin = 0
        while (end := begin + self.step) <= len(text):
            self._step(text[begin:end])
            self._steps += 1
            if self._steps % _DRIFT_STEPS == 0:
                self._look_for_drift()
            begin = end
        return text[begin:]

    def finish(self, rest: str) -> None:
        """Read what is left, and look for drift a last time."""
        try:
            if rest:
                self._step(rest)
            self._look_for_drift()
        except Exception as error:
            self.failure = error

    def finding(self) -> Loop | None:
        """The longest of the loop that is going on and those that are over, with its share of what was read so far."""
        loop = self._longest
        if self._told and (loop is None or self._run > loop.length):
            loop = self._loop()
        return loop and replace(loop, share=loop.length / self._read)

    def _step(self, fresh: str) -> None:
        self._tail += fresh
        text = self._tail
        self._read += len(fresh)
        if self._read >= TAIL:
            self.step = LONG_STEP
        if "`" in fresh:
            self._fences += text.count("```", max(0, len(text) - len(fresh) - 2))
        if self._lag:
            self._follow(text, fresh)
        if not self._lag:
            lag, match = recurrence(text)
            if lag:
                self._begin_run(lag, lag + match, self._read)
                self._judge(text, len(text))
        self._tail = text[-TAIL:]

    def _follow(self, text: str, fresh: str) -> None:
        old = len(text) - len(fresh)
        expected = text[old - self._lag : len(text) - self._lag]
        goes_on = len(fresh) if expected == fresh else common_start(expected, fresh)
        self._run += goes_on
        self._end += goes_on
        self._judge(text, old)
        if goes_on < len(fresh):
            self._end_run()

    def _begin_run(self, lag: int, run: int, end: int) -> None:
        self._lag, self._run, self._end = lag, run, end
        self._need, self._told = 0, False
        self._context: Context = "prose"

    def _end_run(self) -> None:
        if self._told and (self._longest is None or self._run > self._longest.length):
            self._longest = self._loop()
        self._begin_run(0, 0, 0)

    def _judge(self, text: str, to: int) -> None:
        if self._told or self._run < max(LEAST.copies * self._lag, LEAST.characters):
            return
        if not self._need:
            self._context = context_of(text[to - self._lag : to], self._fences % 2 == 1)
            self._need = needed(self._context, self._lag)
        if self._run >= self._need:
            self._told = True
            self._tell()

    def _tell(self) -> None:
        if not self._on_loop:
            return
        try:
            self._on_loop(self._loop())
        except Exception as error:
            self.failure = error

    def _loop(self) -> Loop:
        start, copies = self._end - self._run, self._run // self._lag
        return Loop(self._lag, copies, start, self._run, self._run / self._read, self._context)

    def _look_for_drift(self) -> None:
        drift = None if self.suspect or self._told or self._longest else drift_of(self._tail, self._fences % 2 == 1)
        if drift:
            period, length = drift
            copies = length // period if period else 0
            start = self._read - length
            self.suspect = Loop(period, copies, start, length, length / self._read, "prose", "suspect")
