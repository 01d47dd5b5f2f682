"""Repetition that is not exact: counters that go on counting, and texts that have run out of new words.

In: the bounded tail of a text. Out: a period (0 where there is none) and a length, or nothing. What is found here
overlaps with honest text, so it is a suspicion and never a finding.
"""

from streamgauge.analysis.markup import context_of
from streamgauge.analysis.periods import recurrence

WINDOW = 1536
"""Characters at the end of the text that are looked at: about 250 words."""

_COUNTER_COPIES, _COUNTER_CHARACTERS = 6, 400
_STALE_FROM = 800  # characters; in less, a refrain is most of the text
_SAMPLES, _SAMPLE = 32, 10  # two words each; looking them up takes no memory, which sets of words would
_STALE_SHARE = (
    0.88  # of the samples come again; the median of technical prose is 0.3, one window in a hundred reaches 0.9
)


def drift_of(tail: str, fenced: bool) -> tuple[int, int] | None:
    """Period and length of drifting repetition at the end of `tail`, prose and lists only; `None` if there is none."""
    if fenced or "|" in tail:
        return None
    text = tail[-WINDOW:]
    found = _counter(text) or _stale(text)
    return found if found and context_of(text[-found[1] :], fenced) in ("prose", "list") else None


def _counter(text: str) -> tuple[int, int] | None:
    folded = _fold_digits(text)
    period, match = recurrence(folded)
    length = period + match
    if not period or length < max(_COUNTER_COPIES * period, _COUNTER_CHARACTERS) or "0" not in folded[-period:]:
        return None  # what repeats without a digit repeats exactly, and was judged as such
    return period, length


def _fold_digits(text: str) -> str:
    for digit in "123456789":  # ten times faster than `translate` where the text is not ASCII
        text = text.replace(digit, "0")
    return text


def _stale(text: str) -> tuple[int, int] | None:
    if len(text) < _STALE_FROM:
        return None
    places = range(0, len(text) - _SAMPLE, len(text) // _SAMPLES)
    samples = [text[at : at + _SAMPLE] for at in places]
    again = sum(text.find(sample) != text.rfind(sample) for sample in samples)
    return (0, len(text)) if again >= _STALE_SHARE * len(samples) else None
