"""The intake: what happens to every chunk, and to most chunks nothing more.

In: per chunk two moments (when the consumer came back for more, when the chunk arrived) and its piece of plain text,
which the tap's loops append here themselves. Out: that text and its rows of the timeline in batches, and single chunks
that are more than that. This is the hot path: between two chunks of a real stream the SDK's work empties the
processor's caches, and what a chunk costs is how much of ours has to be fetched again. So a chunk touches three lists
and its reader, and all arithmetic waits until it pays."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from operator import sub
from typing import Any

from streamgauge.recording.timeline import Timeline

Reader = Callable[[Any, Any], str | None]
"""Tells a sink what a chunk carried; visible text and nothing else is given back instead, which is what nearly every
chunk carries.
"""

BLOCKED_NS = 1_000_000
"""A read that waited less than this was served from a buffer: the time before it was the consumer's, not the
provider's. No setting takes a shorter silence for a stall.
"""

BATCH = 64
"""Most pieces of plain text that are held before they are read."""

HELD = 2048
"""Most characters of plain text that are held before they are read, if pieces go on being as long as the last ones."""

_NO_ROOM = ("",) * BATCH

Heir = Callable[[Any, int, int], None]
"""Takes over whole chunks, with the moments when each was asked for and arrived."""


class Intake(ABC):
    """Takes chunks in; what they mean to the books is told by whoever extends it.

    For each chunk the tap appends to `asked_at` and `arrived_at`, and asks `look` for its piece. Text and nothing but
    text goes to `pieces` while there is room for it, everything else to `account`, which says how much room there is
    from then on. So the tap touches nothing of the books for most chunks. The three lists stay the same ones, and other
    threads may read them at any time.
    """

    __slots__ = (
        "_allowed",
        "_asked",
        "_content_chunks",
        "_fit",
        "_heir",
        "_last",
        "_now",
        "_text",
        "arrived_at",
        "asked_at",
        "gap_max",
        "look",
        "pieces",
        "plain",
        "timeline",
        "wait_ns",
    )

    def __init__(self, look: Reader, timeline: Timeline, now: int, stall_limit: int) -> None:
        self.look = look
        self.plain = False
        self.pieces: list[str] = []
        # as many as there are pieces, and those of the chunk at hand or of the one that is waited for
        self.asked_at: list[int] = []
        self.arrived_at: list[int] = []
        self.timeline = timeline
        self._allowed = stall_limit
        self._heir: Heir | None = None
        self._fit = BATCH
        self._asked = self._now = now
        self.wait_ns = self.gap_max = self._text = self._content_chunks = self._last = 0

    @property
    def now(self) -> int:
        """When the latest chunk arrived."""
        latest = self.arrived_at[-1:]
        return latest[0] if latest else self._now

    @property
    def asked(self) -> int:
        """When the consumer last came back for more."""
        latest = self.asked_at[-1:]
        return max(latest[0], self._asked) if latest else self._asked

    def asked_elsewhere(self, at: int) -> None:
        """The consumer came back at `at`, and waits at a tap that tells another recorder."""
        self._asked = max(at, self._asked)

    def divert(self, heir: Heir) -> None:
        """Let `heir` have every further chunk; the books are about to be closed."""
        self._heir, self.plain = heir, False
        self.pieces.extend(_NO_ROOM)  # whoever reads on has been told how much there was

    def held(self) -> list[str]:
        """The pieces of plain text that are not accounted for yet."""
        pieces = self.pieces[:]
        return pieces if self._heir is None else [*filter(None, pieces)]

    def take(self, chunk: Any, asked: int, now: int) -> None:
        """Account for a chunk that was diverted from another recorder."""
        self.asked_at.append(asked)
        self.arrived_at.append(now)
        try:
            piece = self.look(chunk, self)
        except Exception:
            piece = self.unreadable()
        self.account(chunk, piece)

    def account(self, chunk: Any, piece: str | None) -> int:
        """Account for the chunk at hand, which is more than text, or has no room; how many pieces may be held now."""
        if piece and self.plain:
            self.pieces.append(piece)
            if len(self.pieces) >= self._batch():
                self.settle()
            return self._batch() - 1
        asked, now = self.asked_at.pop(), self.arrived_at.pop()
        if self._heir is not None:
            self._heir(chunk, asked, now)
            return 0
        if self.pieces:
            self.settle()
        self._single(piece, asked, now)
        return self._batch() - 1 if self.plain else 0

    def _batch(self) -> int:
        # a batch ends where a long row does
        return self._fit if self.timeline.stride < BATCH else min(self._fit, self.timeline.room)

    def _expect(self, count: int, characters: int) -> None:
        """The next pieces will be as long as these were."""
        self._fit = min(BATCH, HELD * count // (characters or 1)) or 1

    def _single(self, piece: str | None, asked: int, now: int) -> None:
        since, self._asked, self._now = self._now, asked, now
        self.wait_ns += now - asked
        gap = now - (since if now - asked > BLOCKED_NS else asked)
        self._tell(piece, gap, self._stalled(gap, now) if gap > self._allowed else 0)

    def settle(self) -> None:
        """Account for all text that is held, and let go of it."""
        pieces = self.held()
        if not pieces:
            return
        asked, arrivals = self.asked_at[: len(pieces)], self.arrived_at[: len(pieces)]
        # emptied first: who is told of a loop may ask what was counted, and what is settled counts elsewhere
        self.pieces[:] = () if self._heir is None else _NO_ROOM
        del self.asked_at[: len(pieces)], self.arrived_at[: len(pieces)]
        try:
            text = "".join(pieces)
        except TypeError:  # gateways give lists and numbers, too
            for each in zip(pieces, asked, arrivals, strict=True):
                self._single(*each)
        else:
            self._settled(pieces, text, asked, arrivals)

    def _settled(self, pieces: list[str], text: str, asked: list[int], arrivals: list[int]) -> None:
        gaps, count, last = [*map(sub, arrivals, asked)], len(pieces), arrivals[-1]
        self.wait_ns += sum(gaps)
        widest = max(gaps)
        if widest > BLOCKED_NS:
            gaps = self._gaps(gaps, arrivals)
            widest = max(gaps)
        self._asked, self._now, self._last = max(asked[-1], self._asked), last, last
        if widest <= self._allowed and count <= self.timeline.room:
            self.timeline.add(count, len(text), arrivals[0], last, widest)
        else:
            self._row_by_row([*map(len, pieces)], arrivals, gaps)
        if widest > self.gap_max:
            self.gap_max = widest
        self._text += len(text)
        self._content_chunks += count
        self._expect(count, len(text))
        self._read_on(pieces, text)

    def _gaps(self, waits: list[int], arrivals: list[int]) -> list[int]:
        before = zip(waits, arrivals, [self._now, *arrivals[:-1]], strict=True)
        return [now - since if wait > BLOCKED_NS else wait for wait, now, since in before]

    def _row_by_row(self, sizes: list[int], arrivals: list[int], gaps: list[int]) -> None:
        begin = 0
        for end in [at for at, gap in enumerate(gaps) if gap > self._allowed]:
            self.timeline.extend(sizes[begin:end], arrivals[begin:end], gaps[begin:end])
            self.timeline.pin(arrivals[end], sizes[end], gaps[end], self._stalled(gaps[end], arrivals[end]))
            begin = end + 1
        self.timeline.extend(sizes[begin:], arrivals[begin:], gaps[begin:])

    @abstractmethod
    def _read_on(self, pieces: list[str], text: str) -> None:
        """The text that follows, in pieces and whole; to be read and forgotten."""

    @abstractmethod
    def _tell(self, piece: str | None, gap: int, marks: int) -> None:
        """The chunk at hand was looked at, is more than plain text, and came after `gap`."""

    @abstractmethod
    def _stalled(self, gap: int, now: int) -> int:
        """A chunk came at `now` after a silence longer than its phase allows; the mark that it gets for that."""

    @abstractmethod
    def unreadable(self) -> str | None:
        """The reader failed on the chunk at hand: nothing is known of it, which is counted."""
