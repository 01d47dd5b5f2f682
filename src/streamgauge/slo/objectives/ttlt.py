"""TTLT: the last content came within a threshold."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from streamgauge import names
from streamgauge.names import Verdict
from streamgauge.slo.fields import Fields
from streamgauge.slo.objective import Objective, Sli, histogram_sli, outlasted, within
from streamgauge.slo.policy import ENDED


@dataclass(frozen=True, kw_only=True)
class TimeToLast(Objective):
    """Streams that were through in time; one that broke or was left after more than the threshold has missed it."""

    kind: ClassVar[str] = "ttlt"
    fails: ClassVar[str] = "{service} streams take too long to finish"

    threshold: Decimal

    @classmethod
    def read(cls, fields: Fields) -> dict[str, Any]:
        """threshold (duration)."""
        return {"threshold": fields.duration("threshold")}

    def judge(self, report: Any) -> Verdict:
        """By the last content of a stream that ended; by the time spent on any other."""
        if report.outcome not in ENDED:
            return outlasted(report.duration_s, self.threshold)
        return within(report.ttlt_s if report.ttlt_s is not None else report.duration_s, self.threshold)

    def bounds(self) -> Mapping[str, tuple[float, ...]]:
        """The threshold, in the TTLT histogram."""
        return {names.TTLT_SECONDS.name: (float(self.threshold),)}

    def sli(self, form: str, selector: tuple[str, ...]) -> Sli | None:
        """From the TTLT histogram."""
        return histogram_sli(form, names.TTLT_SECONDS, self.threshold, (*selector, *self.filter.matchers()))


KIND = TimeToLast
