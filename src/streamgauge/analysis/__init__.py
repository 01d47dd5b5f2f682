"""Room 4, analysis: what is to be thought of a stream.

In: a sealed `StreamRecord` (and, for loops, the text as it goes by, which is read and forgotten). Out: a
`StreamReport`. Pure functions, run at the end or in bounded steps; no I/O, no OpenTelemetry, no clock."""

from streamgauge.analysis.arguments import Arguments
from streamgauge.analysis.report import Context, LoopReport, StreamReport, analyse

__all__ = ["Context", "LoopReport", "StreamReport", "analyse", "Arguments"]
