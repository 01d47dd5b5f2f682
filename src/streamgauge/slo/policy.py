"""Which ending counts as what: a table from (outcome, findings) to a verdict, as data that the SLO file may override.

A report's words come in, a verdict goes out. A finding judges only a stream whose ending was good: a truncated stream
that also stalled is bad once, and a user's Stop stays excluded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

from streamgauge.names import Finding, Outcome, Verdict

_OUTCOMES: Mapping[str, Verdict] = MappingProxyType(
    {
        Outcome.COMPLETED: Verdict.GOOD,
        Outcome.LENGTH_LIMITED: Verdict.GOOD,
        Outcome.CONTENT_FILTERED: Verdict.EXCLUDED,
        Outcome.TRUNCATED: Verdict.BAD,
        Outcome.FAILED: Verdict.BAD,
        Outcome.TIMED_OUT: Verdict.BAD,
        Outcome.CANCELLED: Verdict.EXCLUDED,
        Outcome.ABANDONED: Verdict.EXCLUDED,
        Outcome.DETACHED: Verdict.EXCLUDED,
        Outcome.CRASHED: Verdict.BAD,
    }
)
_AFTER_TEXT: Mapping[str, Verdict] = MappingProxyType({Outcome.CONTENT_FILTERED: Verdict.BAD})
_FINDINGS: Mapping[str, Verdict] = MappingProxyType(
    {
        Finding.STALLED: Verdict.BAD,
        Finding.LOOPED: Verdict.BAD,
        Finding.MALFORMED_TOOL_CALL: Verdict.BAD,
        Finding.EMPTY: Verdict.BAD,
    }
)
_SEVERITY = {Verdict.GOOD: 0, Verdict.EXCLUDED: 1, Verdict.BAD: 2}

ABORTS = frozenset({Outcome.CANCELLED, Outcome.ABANDONED, Outcome.DETACHED})
ENDED = frozenset({Outcome.COMPLETED, Outcome.LENGTH_LIMITED, Outcome.CONTENT_FILTERED})


@dataclass(frozen=True, slots=True)
class Policy:
    """Verdicts per outcome, per outcome after visible text had been shown, and per finding."""

    outcomes: Mapping[str, Verdict] = field(default_factory=lambda: _OUTCOMES)
    after_text: Mapping[str, Verdict] = field(default_factory=lambda: _AFTER_TEXT)
    findings: Mapping[str, Verdict] = field(default_factory=lambda: _FINDINGS)

    def verdict(self, outcome: str, findings: Iterable[str] = (), content_shown: bool = False) -> Verdict:
        """The verdict on a stream that ended with `outcome`; an unknown outcome is excluded."""
        ending = self.after_text.get(outcome) if content_shown else None
        judged = ending or self.outcomes.get(outcome, Verdict.EXCLUDED)
        if judged is not Verdict.GOOD:
            return judged
        return max(
            (self.findings.get(word, Verdict.GOOD) for word in findings), key=_SEVERITY.__getitem__, default=judged
        )

    def counting_aborts(self) -> Self:
        """The same policy, with streams that the caller ended or left counted as bad."""
        return replace(self, outcomes={**self.outcomes, **dict.fromkeys(ABORTS, Verdict.BAD)})

    def bad_outcomes(self) -> tuple[str, ...]:
        """Outcomes that burn budget, sorted."""
        bad = {
            outcome
            for table in (self.outcomes, self.after_text)
            for outcome, verdict in table.items()
            if verdict is Verdict.BAD
        }
        return tuple(sorted(bad))


DEFAULT = Policy()
