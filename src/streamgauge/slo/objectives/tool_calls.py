"""Tool calls: every tool call of the stream arrived complete and well-formed."""

from dataclasses import dataclass
from typing import Any, ClassVar

from streamgauge.names import Verdict
from streamgauge.slo.fields import Fields
from streamgauge.slo.objective import Objective


@dataclass(frozen=True, kw_only=True)
class ToolCalls(Objective):
    """Streams all of whose tool calls could be run; streams without any are excluded."""

    kind: ClassVar[str] = "tool_calls"
    fails: ClassVar[str] = "{service} streams with tool calls carry a broken one"

    @classmethod
    def read(cls, fields: Fields) -> dict[str, Any]:  # noqa: ARG003 - no fields of its own
        """Nothing."""
        return {}

    def judge(self, report: Any) -> Verdict:
        """good when every call is complete and well-formed."""
        return whole(report)


def whole(report: Any) -> Verdict:
    """excluded without tool calls; bad as soon as one is cut off or malformed."""
    if not report.tool_calls:
        return Verdict.EXCLUDED
    usable = all(call.complete and call.well_formed for call in report.tool_calls)
    return Verdict.GOOD if usable else Verdict.BAD


KIND = ToolCalls
