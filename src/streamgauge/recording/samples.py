"""A sample per content chunk, for those who ask for the convention's time per output chunk; costs nothing when not
asked for.
"""

from collections.abc import Callable
from typing import Any

from streamgauge.recording.intake import Reader
from streamgauge.recording.recorder import Recorder


def sampled(read: Reader, sample: Callable[[float], None]) -> Reader:
    """`read`, which also gives `sample` the seconds between each two content chunks."""
    last: int | None = None
    told = 0

    def reading(chunk: Any, recorder: Recorder) -> str | None:
        nonlocal last, told
        piece = read(chunk, recorder)
        others = recorder.reasoning_characters + recorder.tool_characters
        if piece or others != told:
            if last is not None:
                sample((recorder.now - last) / 1e9)
            last, told = recorder.now, others
        return piece

    return reading
