"""Cancel effectiveness: after a cancel the upstream connection was seen closed within a budget."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from streamgauge import names
from streamgauge.names import Outcome, Verdict
from streamgauge.slo import promql
from streamgauge.slo.fields import Fields
from streamgauge.slo.objective import Objective, Sli, histogram_sli, within


@dataclass(frozen=True, kw_only=True)
class CancelEffective(Objective):
    """Cancelled streams whose upstream closed in time; a close that nobody saw is not a close."""

    kind: ClassVar[str] = "cancel"
    fails: ClassVar[str] = "cancelled {service} streams go on upstream"
    burn_alert: ClassVar[str] = "CancelNotEffective"
    aborts_default: ClassVar[str] = "counted"  # cancelled streams are the ones that this is about

    threshold: Decimal

    @classmethod
    def read(cls, fields: Fields) -> dict[str, Any]:
        """threshold (duration)."""
        return {"threshold": fields.duration("threshold")}

    def judge(self, report: Any) -> Verdict:
        """By the time to the upstream's close; unverified is bad; streams that were not cancelled are excluded."""
        if report.outcome != Outcome.CANCELLED:
            return Verdict.EXCLUDED
        closed = report.cancel.upstream_close_s if report.cancel is not None else None
        return Verdict.BAD if closed is None else within(closed, self.threshold)

    def bounds(self) -> Mapping[str, tuple[float, ...]]:
        """The threshold, in the histogram of upstream closes."""
        return {names.UPSTREAM_CLOSE.name: (float(self.threshold),)}

    def sli(self, form: str, selector: tuple[str, ...]) -> Sli | None:
        """From the histogram of seen closes and the counter of unseen ones."""
        matchers = (*selector, *self.filter.matchers())
        seen = histogram_sli(form, names.UPSTREAM_CLOSE, self.threshold, matchers)
        if seen is None:
            return None
        unseen = (
            f"(sum(increase({promql.selector(names.CANCELS_UNVERIFIED.prometheus, *matchers)}[$range])) or vector(0))"
        )
        return Sli(f"({seen.bad}) + {unseen}", f"({seen.total}) + {unseen}", seen.source)


KIND = CancelEffective
