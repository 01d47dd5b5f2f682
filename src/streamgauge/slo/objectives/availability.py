"""Availability: the stream ended as it should, by the policy table of outcomes and findings."""

from dataclasses import dataclass
from typing import Any, ClassVar

from streamgauge.names import Verdict
from streamgauge.slo.fields import Fields
from streamgauge.slo.objective import Objective


@dataclass(frozen=True, kw_only=True)
class Availability(Objective):
    """Streams whose outcome and findings the policy calls good."""

    kind: ClassVar[str] = "availability"
    fails: ClassVar[str] = "{service} streams do not end as they should"
    by_outcome: ClassVar[bool] = True

    @classmethod
    def read(cls, fields: Fields) -> dict[str, Any]:  # noqa: ARG003 - no fields of its own
        """Nothing: the policy table is the file's."""
        return {}

    def judge(self, report: Any) -> Verdict:
        """The policy's word."""
        policy = self.policy.counting_aborts() if self.count_aborts else self.policy
        return policy.verdict(report.outcome, report.findings, report.content_shown)


KIND = Availability
