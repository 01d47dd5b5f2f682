"""Reconciliation: no side effect stays unreconciled for longer than a threshold; measured in time, not in streams."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from streamgauge import names
from streamgauge.names import Verdict
from streamgauge.slo import promql
from streamgauge.slo.fields import Fields
from streamgauge.slo.objective import Alerting, Objective, Sli


@dataclass(frozen=True, kw_only=True)
class Reconciled(Objective):
    """Seconds during which the oldest unreconciled effect was younger than the threshold."""

    kind: ClassVar[str] = "reconciliation"
    fails: ClassVar[str] = "the time a {service} side effect waits for reconciliation"
    unit: ClassVar[str] = "seconds"
    counted: ClassVar[bool] = False
    alerting_default: ClassVar[Alerting] = Alerting(min_events=600, min_failures=300, low_traffic_failures=0)

    threshold: Decimal

    @classmethod
    def read(cls, fields: Fields) -> dict[str, Any]:
        """threshold (duration)."""
        return {"threshold": fields.duration("threshold")}

    def judge(self, report: Any) -> Verdict:  # noqa: ARG002 - the ledger's gauge tells, not a stream
        """No stream is judged."""
        return Verdict.EXCLUDED

    def sli(self, form: str, selector: tuple[str, ...]) -> Sli:  # noqa: ARG002 - one form only
        """From the age of the oldest unreconciled effect, sampled once a minute."""
        source = promql.selector(names.UNRECONCILED_AGE.prometheus, *selector)
        bad = f"sum_over_time((max({source}) > bool {promql.number(self.threshold)})[$range:$step]) * 60"
        return Sli(bad, f"count_over_time(max({source})[$range:$step]) * 60", source)


KIND = Reconciled
