"""streamgauge measures every streamed LLM answer and says how it really ended.

    import streamgauge
    streamgauge.instrument()                       # every client of every installed SDK
    client = streamgauge.watch(OpenAI())           # or one client, or any iterator of chunks

The data's way: a provider's file says where its stream is tapped (`providers`), the tap feeds a recorder
(`recording`), the sealed record is judged (`analysis`), the report becomes spans, metrics and log events (`signals`).
`gauge` wires it."""

from typing import TYPE_CHECKING

from streamgauge.analysis import StreamReport
from streamgauge.errors import ConfigError, LedgerError, SchemaError, StreamgaugeError
from streamgauge.gauge import (
    Gauge,
    Observation,
    cancel,
    current,
    flush,
    followed_up,
    instrument,
    of,
    uninstrument,
    unwatch,
    watch,
)
from streamgauge.gauge.configure import configure
from streamgauge.ledger import effect
from streamgauge.settings import Settings

if TYPE_CHECKING:
    from streamgauge.ledger.room import Room

    ledger: Room
else:
    from streamgauge import ledger

__all__ = [
    "configure",
    "instrument",
    "uninstrument",
    "watch",
    "unwatch",
    "of",
    "current",
    "cancel",
    "followed_up",
    "flush",
    "effect",
    "ledger",
    "Settings",
    "Gauge",
    "Observation",
    "StreamReport",
    "StreamgaugeError",
    "ConfigError",
    "SchemaError",
    "LedgerError",
]
