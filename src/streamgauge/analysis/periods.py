"""Exact repetition in a bounded text, found by string searches at C speed.

In: a text of a few thousand characters. Out: the lag at which its end repeats itself, and how far back that holds.
Pure functions; no state, no judgement about what a repetition means (that is `loops` and `markup`).
"""

NEEDLE = 64
"""So many characters must recur before a lag is looked at; every loop worth reporting is far longer than that."""

LONGEST_PERIOD = 2048
"""A unit of so many characters is found, whatever it repeats of itself; one that is longer hardly ever."""

_LONGEST_NEEDLE = 128  # with a longer one the worst case of `rfind`, which multiplies both lengths, is felt
_FIRST_STRIDE = 32  # agreement is felt for in steps that double, then halve
_TRIES = 8  # a unit repeats parts of itself this often at most before the search is left to the next step


def recurrence(text: str) -> tuple[int, int]:
    """Lag at which the end of `text` repeats itself, and how many characters do; `(0, 0)` if none.

    The smallest lag that has gone round four times, for long enough, is the primitive period and is taken at once.
    While none has, the smallest lag with the longest agreement is taken: that tells a unit from the parts of itself
    that it repeats, a dashed line for one.
    """
    size = len(text)
    floor = max(0, size - _LONGEST_NEEDLE - LONGEST_PERIOD)
    best = (0, 0)
    needle, end = text[-NEEDLE:], size - 1
    for _ in range(_TRIES):
        at = text.rfind(needle, floor, end)
        if at < 0 or size < 2 * NEEDLE:
            break
        lag = size - len(needle) - at
        match = agreement(text, lag, len(needle))
        if match >= max(3 * lag, _LONGEST_NEEDLE):
            return lag, match
        if match > best[1]:
            best = (lag, match)
        needle = text[-min(match + 1, _LONGEST_NEEDLE) :]
        end = size - lag - 1
    return best


def agreement(text: str, lag: int, known: int = 0) -> int:
    """How many characters at the end of `text` equal those `lag` before; `known` of them are known to."""
    size = len(text)
    base = most = size - lag
    stride = _FIRST_STRIDE
    while known < most:
        to = min(known + stride, most)
        if text[size - to : size - known] == text[base - to : base - known]:
            known, stride = to, stride * 2
        else:
            most, stride = to - 1, max(1, (to - known) // 2)
    return known


def common_start(left: str, right: str) -> int:
    """How many characters two texts begin with in common."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
