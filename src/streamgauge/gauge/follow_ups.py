"""What became of stopped answers: told by the application, often long after the stream's end.

In: the id of a stream, and a word. Out: a count and a log event, once per stream and word. A stream that this process
does not remember is counted all the same, without provider and model.
"""

from collections import OrderedDict
from typing import Any, NamedTuple

from streamgauge.names import FollowUp
from streamgauge.signals import Signals, SpanContext

REMEMBERED_WORDS = 4096


class Known(NamedTuple):
    """What is remembered of a sealed stream: its id, its span, and the labels of its metrics."""

    stream_id: str
    span: SpanContext
    labels: dict[str, Any]


class FollowUps:
    """Tells each word of a stream once."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals
        self._told: OrderedDict[tuple[str, FollowUp], None] = OrderedDict()

    def tell(self, stream_id: str, what: FollowUp, known: Known | None, at: int) -> None:
        """`at` is nanoseconds since the epoch."""
        if known is not None:
            stream_id = known.stream_id
        if (stream_id, what) in self._told:
            return
        self._told[stream_id, what] = None
        while len(self._told) > REMEMBERED_WORDS:
            self._told.popitem(last=False)
        labels, span = (None, None) if known is None else (known.labels, known.span)
        self._signals.followed_up(stream_id, what, at, labels, span)
