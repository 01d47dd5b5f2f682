"""Pacing: the answer kept flowing, by its largest gap or by the share of token deadlines that it met."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from streamgauge import names
from streamgauge.names import Verdict
from streamgauge.slo.fields import Fields
from streamgauge.slo.objective import NOTHING, Objective, Sli, histogram_sli, within


@dataclass(frozen=True, kw_only=True)
class Pacing(Objective):
    """Streams without a gap above `max_gap`, or with at least `fluidity` of their token deadlines met."""

    kind: ClassVar[str] = "pacing"
    fails: ClassVar[str] = "{service} streams falter while they are read"

    max_gap: Decimal | None = None
    fluidity: Decimal | None = None

    @classmethod
    def read(cls, fields: Fields) -> dict[str, Any]:
        """Exactly one of max_gap (duration) and fluidity (share between 0 and 1)."""
        max_gap = fields.duration("max_gap", None)
        fluidity = fields.decimal("fluidity", "a share between 0 and 1, such as 0.9", "0", "1", None)
        if (max_gap is None) == (fluidity is None):
            raise fields.wrong("max_gap", "exactly one of max_gap and fluidity")
        return {"max_gap": max_gap, "fluidity": fluidity}

    def judge(self, report: Any) -> Verdict:
        """By whichever measure the objective names; a stream without content is excluded."""
        return smooth(report, self.max_gap, self.fluidity)

    def bounds(self) -> Mapping[str, tuple[float, ...]]:
        """The largest allowed gap, in the gap histogram."""
        return {names.GAP_MAX_SECONDS.name: (float(self.max_gap),)} if self.max_gap is not None else NOTHING

    def sli(self, form: str, selector: tuple[str, ...]) -> Sli | None:
        """From the gap histogram; fluidity is known to the verdict only."""
        if self.max_gap is None:
            return None
        return histogram_sli(form, names.GAP_MAX_SECONDS, self.max_gap, (*selector, *self.filter.matchers()))


def smooth(report: Any, max_gap: Decimal | None, fluidity: Decimal | None) -> Verdict:
    """good when the given limits are kept; an unfinished last stall counts like a gap."""
    if max_gap is not None:
        gaps = [gap for gap in (report.gap_max_s, *(stall.duration_s for stall in report.stalls)) if gap is not None]
        return within(max(gaps, default=None), max_gap)
    if report.fluidity is None or fluidity is None:
        return Verdict.EXCLUDED
    return Verdict.GOOD if report.fluidity >= float(fluidity) else Verdict.BAD


KIND = Pacing
