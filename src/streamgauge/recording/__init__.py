"""Room 3b, the hot path: takes what happened and when, keeps what matters in bounded memory, seals it into a record.

In: chunks and times from the tap, words from a provider's reader. Out: one `StreamRecord` per stream. No I/O, no
clock, no OpenTelemetry, no judgement: whether a stream was good is decided by `analysis` from the record."""

from streamgauge.recording.record import (
    Call,
    Cancel,
    CharacterCounts,
    End,
    EndCause,
    Slice,
    Stall,
    StreamRecord,
    ToolCall,
)
from streamgauge.recording.recorder import Recorder
from streamgauge.recording.state import TRANSITIONS, Step, advance
from streamgauge.recording.timeline import Timeline

__all__ = [
    "Call",
    "Recorder",
    "StreamRecord",
    "End",
    "EndCause",
    "Cancel",
    "Stall",
    "ToolCall",
    "CharacterCounts",
    "Slice",
    "Timeline",
    "Step",
    "TRANSITIONS",
    "advance",
]
