"""Repetition that is not exact: counters that go on counting, and texts that have run out of new words.

In: the bounded tail of a text. Out: a period (0 where there is none) and a length, or nothing. What is found here
overlaps with honest text, so it is a suspicion and never a finding.
"""

from streamgauge.analysis.markup import context_of
from streamgauge.analysis.periods import recurrence

WINDOW = 1536
"""Characters at the end of the text that are looked at: about 250 words."""

_COUNTER_COPIES, _COUNTER_CHARACTERS = 6, 400
_FEWEST_WORDS = 120
_FEW_WORDS, _FEW_TRIGRAMS, _VERY_FEW_WORDS = 0.5, 0.35, 0.1  # shares; honest prose of this length stays above them


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
    words = text.split()
    distinct = len(set(words))
    if len(words) < _FEWEST_WORDS or distinct > _FEW_WORDS * len(words):
        return None
    trigrams = len(set(zip(words, words[1:], words[2:], strict=False)))
    stale = distinct < _VERY_FEW_WORDS * len(words) or trigrams < _FEW_TRIGRAMS * (len(words) - 2)
    return (0, len(text)) if stale else None
