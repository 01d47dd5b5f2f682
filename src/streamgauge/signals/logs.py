"""Log events: the moments of a stream that are worth a line of their own, and the timeline for those who want it
there.
"""

from typing import Any

from opentelemetry._logs import Logger, LogRecord, SeverityNumber
from opentelemetry.context import Context

from streamgauge import names
from streamgauge.analysis import StreamReport
from streamgauge.names import FollowUp, Initiator, Outcome, Phase, Vocabulary
from streamgauge.recording import Call
from streamgauge.signals import spans

_SEVERITY = {
    Outcome.TRUNCATED: SeverityNumber.WARN,
    Outcome.FAILED: SeverityNumber.WARN,
    Outcome.TIMED_OUT: SeverityNumber.WARN,
    Outcome.CRASHED: SeverityNumber.WARN,
}


class Logs:
    """Emits the log events that the settings ask for."""

    def __init__(self, logger: Logger, wanted: tuple[str, ...], vocabulary: Vocabulary) -> None:
        self._logger = logger
        self._wanted = frozenset(wanted)
        self._vocabulary = vocabulary

    def begun(self, call: Call, context: Context) -> None:
        """The call was made; this line outlives a process that dies in the stream."""
        if not self._heard("begin"):
            return
        values = {
            names.STREAM_ID: call.stream_id,
            names.OPERATION_NAME: call.operation,
            names.PROVIDER_NAME: call.provider,
            names.REQUEST_MODEL: call.model,
        }
        self._emit(names.EVENT_BEGIN, values, call.started_unix_ns, context)

    def stalled(self, stream_id: str, phase: Phase, seconds: float, at: int, context: Context) -> None:
        """A stall is going on."""
        if self._heard("stall"):
            values = {names.STREAM_ID: stream_id, names.PHASE: phase.value, names.STALL_DURATION: seconds}
            self._emit(names.EVENT_STALL, values, at, context, SeverityNumber.WARN)

    def cancelled(self, stream_id: str, initiator: Initiator, phase: Phase, at: int, context: Context) -> None:
        """Somebody asked for the end."""
        if self._heard("cancel"):
            values = {names.STREAM_ID: stream_id, names.INITIATOR: initiator.value, names.CANCEL_PHASE: phase.value}
            self._emit(names.EVENT_CANCEL, values, at, context)

    def followed_up(self, stream_id: str, what: FollowUp, at: int, context: Context | None) -> None:
        """The application told what became of a stopped answer; `context` is None for a stream of another process."""
        if self._heard("cancel"):
            self._emit(names.EVENT_FOLLOW_UP, {names.STREAM_ID: stream_id, names.FOLLOW_UP: what.value}, at, context)

    def sealed(self, report: StreamReport, context: Context, *, timeline: bool) -> None:
        """The stream ended; with `timeline`, its chunks go out before."""
        if timeline and self._logger.enabled():
            for name, values, at in spans.events(report, timeline=True):
                if name == names.EVENT_CHUNK:
                    self._emit(name, {names.STREAM_ID: report.stream_id, **values}, at, context, SeverityNumber.DEBUG)
        if self._heard("end"):
            values = {
                names.STREAM_ID: report.stream_id,
                names.OPERATION_NAME: report.operation,
                names.PROVIDER_NAME: report.provider,
                names.REQUEST_MODEL: report.model,
                **spans.attributes(report, self._vocabulary),
            }
            ended = report.started_unix_ns + round(report.duration_s * 1e9)
            self._emit(names.EVENT_END, values, ended, context, _SEVERITY.get(report.outcome, SeverityNumber.INFO))

    def _heard(self, moment: str) -> bool:
        """Whether this moment is wanted, and there is a provider that takes it."""
        return moment in self._wanted and self._logger.enabled()

    def _emit(
        self,
        name: str,
        values: dict[str, Any],
        at: int,
        context: Context | None,
        severity: SeverityNumber = SeverityNumber.INFO,
    ) -> None:
        attributes = {key: value for key, value in values.items() if value is not None}
        self._logger.emit(
            LogRecord(
                timestamp=at,
                event_name=name,
                attributes=attributes,
                context=context,
                severity_number=severity,
                body=None,
            )
        )
