"""What came out while the demo ran: every report, and how many spans there were of each stream.

In: reports, as a sink of the gauge, and ended spans, as a span processor. Out: counts while it runs, reports by stream
id afterwards. With `keep=False` only the counts stay, for traffic without end.
"""

import threading
from collections import Counter

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from streamgauge import names
from streamgauge.analysis import StreamReport
from streamgauge.names import Verdict
from streamgauge.slo.policy import DEFAULT


class Tally(SpanProcessor):
    """Sink and span processor at once; safe in any thread."""

    def __init__(self, *, keep: bool = True) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self.outcomes: Counter[str] = Counter()
        self.verdicts: Counter[Verdict] = Counter()
        self.http_ok = 0
        self.reports: dict[str, list[StreamReport]] = {}
        self.spans: Counter[str] = Counter()

    def sink(self, report: StreamReport) -> None:
        """One stream has its report."""
        verdict = verdict_on(report)
        with self._lock:
            self.outcomes[report.outcome.value] += 1
            self.verdicts[verdict] += 1
            self.http_ok += verdict is not Verdict.EXCLUDED and http_ok(report)
            if self._keep:
                self.reports.setdefault(report.stream_id, []).append(report)

    def on_end(self, span: ReadableSpan) -> None:
        """One span has ended."""
        stream = (span.attributes or {}).get(names.STREAM_ID)
        if self._keep and stream is not None:
            with self._lock:
                self.spans[str(stream)] += 1

    @property
    def judged(self) -> int:
        """Streams that were good or bad for their users; those that the caller ended or left are neither."""
        return self.verdicts[Verdict.GOOD] + self.verdicts[Verdict.BAD]

    @property
    def http_share(self) -> float | None:
        """Share of the judged streams that a status-code dashboard calls ok."""
        return self.http_ok / self.judged if self.judged else None

    @property
    def users_share(self) -> float | None:
        """Share of the judged streams that were good."""
        return self.verdicts[Verdict.GOOD] / self.judged if self.judged else None


def verdict_on(report: StreamReport) -> Verdict:
    """The default policy's word on a stream."""
    return DEFAULT.verdict(report.outcome, report.findings, report.content_shown)


def http_ok(report: StreamReport) -> bool:
    """Whether its status code tells of no error; no answer at all is one."""
    return report.http_status is not None and report.http_status < 400
