"""Whether a helper of the SDK fell over the stream that it read, as its caller closes it.

Helpers (`messages.stream()`, `chat.completions.stream()`) accumulate what they read and raise when it makes no sense
to them: tool arguments that are no JSON, events in an impossible order. The error goes to the application without
touching the stream, which the `with` around it then closes; nothing but the helper's ended generator tells that close
from one of the application's own.
"""

import sys
from types import FrameType
from typing import Any

_CLOSES = frozenset({"close", "aclose"})
_READS = "__stream__"


class HelperFellError(Exception):
    """What the provider sent was more than the SDK's helper could take."""


def helper_fell() -> bool:
    """Whether one of the `close` calls on the stack is that of a helper whose own reading is over.

    To be asked of a stream that is not at its end."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name in _CLOSES and _is_over(frame.f_locals.get("self")):
            return True
        frame = frame.f_back
    return False


def _is_over(helper: Any) -> bool:
    reading = getattr(helper, "__dict__", {}).get("_iterator")
    if getattr(reading, "__name__", None) != _READS:
        return False
    return getattr(reading, "gi_frame", True) is None or getattr(reading, "ag_frame", True) is None
