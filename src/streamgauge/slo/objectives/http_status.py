"""HTTP status: what tooling that reads the status code would say. For comparison only; it raises no alerts unless
asked to."""

from dataclasses import dataclass
from typing import Any, ClassVar

from streamgauge.names import Outcome, Verdict
from streamgauge.slo.fields import Fields
from streamgauge.slo.objective import Alerting, Objective

_NO_ANSWER = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CRASHED})
_SERVER_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class HttpStatus(Objective):
    """Streams whose call was answered with a status below 500."""

    kind: ClassVar[str] = "http_status"
    fails: ClassVar[str] = "{service} calls are answered with a server error"
    aborts_default: ClassVar[str] = "counted"
    alerting_default: ClassVar[Alerting] = Alerting(page=False, ticket=False)

    @classmethod
    def read(cls, fields: Fields) -> dict[str, Any]:  # noqa: ARG003 - no fields of its own
        """Nothing."""
        return {}

    def judge(self, report: Any) -> Verdict:
        """By the status; a failure without any status never reached an answer and is bad."""
        if report.http_status is not None:
            return Verdict.BAD if report.http_status >= _SERVER_ERROR else Verdict.GOOD
        return Verdict.BAD if report.outcome in _NO_ANSWER else Verdict.EXCLUDED


KIND = HttpStatus
