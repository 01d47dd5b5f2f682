"""Goodput: the stream met everything at once. Separate histograms cannot tell this; only a verdict per stream can."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from streamgauge import names
from streamgauge.names import Verdict
from streamgauge.slo.fields import Fields
from streamgauge.slo.objective import Objective, within
from streamgauge.slo.objectives.pacing import smooth
from streamgauge.slo.objectives.tool_calls import whole

_MEASURES = ("ttft", "ttlt", "max_gap")


@dataclass(frozen=True, kw_only=True)
class Goodput(Objective):
    """Streams that ended well, in time, without faltering and with whole tool calls; what a stream has not is not
    asked of it."""

    kind: ClassVar[str] = "goodput"
    fails: ClassVar[str] = "{service} streams miss at least one target"
    by_outcome: ClassVar[bool] = True

    ttft: Decimal | None = None
    ttlt: Decimal | None = None
    max_gap: Decimal | None = None
    fluidity: Decimal | None = None

    @classmethod
    def read(cls, fields: Fields) -> dict[str, Any]:
        """ttft, ttlt, max_gap (durations) and fluidity (share): at least one."""
        limits = {name: fields.duration(name, None) for name in _MEASURES}
        limits["fluidity"] = fields.decimal("fluidity", "a share between 0 and 1, such as 0.9", "0", "1", None)
        if all(limit is None for limit in limits.values()):
            raise fields.wrong("ttft", "at least one of ttft, ttlt, max_gap and fluidity")
        return limits

    def judge(self, report: Any) -> Verdict:
        """The policy's word first; a good ending must also keep every limit."""
        policy = self.policy.counting_aborts() if self.count_aborts else self.policy
        ending = policy.verdict(report.outcome, report.findings, report.content_shown)
        if ending is not Verdict.GOOD:
            return ending
        return Verdict.BAD if Verdict.BAD in self._measures(report) else Verdict.GOOD

    def bounds(self) -> Mapping[str, tuple[float, ...]]:
        """The limits, each in its own histogram."""
        limits = {names.TTFT_SECONDS: self.ttft, names.TTLT_SECONDS: self.ttlt, names.GAP_MAX_SECONDS: self.max_gap}
        return {metric.name: (float(limit),) for metric, limit in limits.items() if limit is not None}

    def _measures(self, report: Any) -> tuple[Verdict, ...]:
        return (
            within(report.ttft_s, self.ttft) if self.ttft is not None else Verdict.EXCLUDED,
            within(report.ttlt_s, self.ttlt) if self.ttlt is not None else Verdict.EXCLUDED,
            smooth(report, self.max_gap, None) if self.max_gap is not None else Verdict.EXCLUDED,
            smooth(report, None, self.fluidity),
            whole(report),
        )


KIND = Goodput
