"""A recorder and a tap before it: a chunk is a list of words, each a method of the sink and its arguments."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from streamgauge.analysis import Arguments
from streamgauge.events import Sink
from streamgauge.names import Phase
from streamgauge.recording import Call, Recorder, Timeline
from streamgauge.tap import Tap

SECOND = 1_000_000_000


def spoken(chunk: Any, sink: Sink) -> str | None:
    """Read a chunk made of words; a chunk that is text is plain text."""
    if isinstance(chunk, str):
        return chunk
    for word, *arguments in chunk:
        getattr(sink, word)(*arguments)
    return None


def recorder(budget: int | None = 96, on_text: Callable[[str], None] | None = None, **call: Any) -> Recorder:
    """A recorder whose call began at 1000 ns."""
    made = Call("s", "acme", "chat", "m", started_unix_ns=0, started_ns=1000, **call)
    limits = dict.fromkeys(Phase, 10 * SECOND)
    return Recorder(made, spoken, timeline=Timeline(budget), stall_limits=limits, judge=Arguments, on_text=on_text)


def tapped(made: Recorder, chunks: Iterable[Any], moments: Iterable[int]) -> Iterator[Any]:
    """The chunks as the tap hands them on; `moments`: the first ask, then arrival of each and the ask for the next."""
    return Tap(made, iter(moments).__next__, lambda *_: None, _raised).read(iter(chunks))


def _raised(_hook: str, error: Exception) -> None:
    raise error
