"""TTFT: the first visible text (or another first thing) came within a threshold."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from streamgauge import names
from streamgauge.names import Verdict
from streamgauge.slo import promql
from streamgauge.slo.fields import Fields
from streamgauge.slo.objective import Objective, Sli, histogram_sli, outlasted, within
from streamgauge.slo.policy import ENDED

FIRST = {"text": "ttft_s", "any": "ttft_any_s", "reasoning": "ttft_reasoning_s", "tool_call": "ttft_tool_call_s"}


@dataclass(frozen=True, kw_only=True)
class TimeToFirst(Objective):
    """Streams that showed their first thing in time; a stream that was given up after a longer wait has missed it."""

    kind: ClassVar[str] = "ttft"
    fails: ClassVar[str] = "{service} streams show their first text too late"
    aborts_default: ClassVar[str] = "counted"  # a wait that drove a reader away is known, however the stream ended

    threshold: Decimal
    first: str = "text"

    @classmethod
    def read(cls, fields: Fields) -> dict[str, Any]:
        """threshold (duration), first (text, any, reasoning or tool_call)."""
        return {"threshold": fields.duration("threshold"), "first": fields.choice("first", FIRST, "text")}

    def judge(self, report: Any) -> Verdict:
        """By the first time; without one, by the wait, unless the stream ended well and had nothing of the kind to
        show, or goes on with an answer that was begun before."""
        seconds = getattr(report, FIRST[self.first])
        if seconds is not None:
            return within(seconds, self.threshold)
        resumed = report.resume_of is not None or report.stream_cursor is not None
        return Verdict.EXCLUDED if resumed or report.outcome in ENDED else outlasted(report.duration_s, self.threshold)

    def bounds(self) -> Mapping[str, tuple[float, ...]]:
        """The threshold, in the TTFT histogram."""
        return {names.TTFT_SECONDS.name: (float(self.threshold),)}

    def sli(self, form: str, selector: tuple[str, ...]) -> Sli | None:
        """From the TTFT histogram of the same kind."""
        of_kind = promql.matcher(promql.label(names.KIND), (self.first,))
        return histogram_sli(form, names.TTFT_SECONDS, self.threshold, (*selector, *self.filter.matchers(), of_kind))


KIND = TimeToFirst
