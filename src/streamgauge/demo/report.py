"""What the demo has to say in the end: a row per story and API, and the figures beside each other.

In: the jobs that were acted out, the tally of what came out, and the provider's own log. Out: a `Summary`; its
`to_dict()` is what `streamgauge demo --json` prints (`words.py` says it to people). Its keys, all stable:

    type            "streamgauge.demo"
    schema          version of the trace schema
    agree           whether every row and every stop agrees
    seed, streams, duration_s
    conditions      seconds: stall_limit_s, stall_s, slow_first_s, timeout_s, patience_s, idle_limit_s
    http_ok_share   share of the judged streams with an HTTP status below 400, null if there are none
    users_ok_share  share of the judged streams that were good for their users (the default policy of the SLOs)
    judged, good, bad, excluded     numbers of streams; excluded ones count for neither share
    rows            per story and API: name, description, api, streams, expected, recorded, agree, problems (texts)
                    expected: outcome, failure_mode, findings, http_status, error_type, initiator
                    recorded: a list of the same objects with their number of streams
    times           per API and for all: api, streams, and p50 and p95 in seconds of first_event, ttft and ttlt
    overhead        per API: api, chunks, bare_us, observed_us, ratio (CPU microseconds per chunk)
    stops           per press of Stop around one tool call: name, description, api, expected, recorded (null: there is
                    no record), stop_after_start_ms and stop_after_commit_ms (milliseconds from the effect's start and
                    commit to the stop; null: it did not start, nobody saw it commit), agree, problems (texts)
                    expected, recorded: outcome and initiator of the stream, effect_state, position (of the effect
                    against the stop), verdict, verdict_at_stop (before anything was reconciled; null: nothing said),
                    messages (how many the mail server really got)
                    Their streams are not among the others. Empty when the run was interrupted
    sdks            versions by distribution
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

from streamgauge import names
from streamgauge.analysis import StreamReport
from streamgauge.demo import story as conditions
from streamgauge.demo.log import RequestLog
from streamgauge.demo.overhead import Cost
from streamgauge.demo.plan import NUMBER, Job, rows
from streamgauge.demo.stops import Stopped
from streamgauge.demo.story import APIS, Story
from streamgauge.demo.tally import Tally
from streamgauge.names import Finding, Initiator, Outcome, Verdict
from streamgauge.slo.policy import ENDED


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be said of one stream; `error_type` and `initiator` are empty where a row leaves them open."""

    outcome: str
    failure_mode: str | None
    findings: tuple[str, ...]
    http_status: int | None
    error_type: str
    initiator: str

    def __str__(self) -> str:
        mode = f": {self.failure_mode}" if self.failure_mode else ""
        who = f" by {self.initiator}" if self.initiator not in ("", Initiator.UNKNOWN) else ""
        return " + ".join((f"{self.outcome}{mode}{who}", *self.findings))


@dataclass(frozen=True, slots=True)
class Row:
    """One story on one API: what was to be said, what was said of how many streams, and what is wrong with that."""

    story: Story
    api: str
    streams: int
    expected: Said
    recorded: tuple[tuple[Said, int], ...]
    problems: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether the record tells the truth about every stream of the row."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON values."""
        return {
            "name": self.story.name,
            "description": self.story.description,
            "api": self.api,
            "streams": self.streams,
            "expected": asdict(self.expected),
            "recorded": [{**asdict(said), "streams": count} for said, count in self.recorded],
            "agree": self.agree,
            "problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """What can be held against each other: what came out, and what the provider knows of each job, by its number."""

    tally: Tally
    logs: Mapping[int, RequestLog]

    def reports(self, job: Job) -> list[StreamReport]:
        """All reports on the job's stream; there should be one."""
        return self.tally.reports.get(job.handle.id, []) if job.handle else []


def evidence(tally: Tally, logs: Iterable[RequestLog]) -> Evidence:
    """The evidence of a run; of several attempts the last one counts."""
    return Evidence(tally, {int(log.headers[NUMBER]): log for log in logs if NUMBER in log.headers})


def rows_of(jobs: Sequence[Job], found: Evidence) -> tuple[Row, ...]:
    """A row per story and API that any job was about, in the order of the stories."""
    by_row: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        by_row.setdefault((job.story.name, job.api), []).append(job)
    stories = {job.story.name: job.story for job in jobs}
    ordered = [stories[name] for name in conditions.STORIES if name in stories]
    return tuple(
        _row(story, api, by_row[story.name, api], found) for story, api in rows(ordered) if (story.name, api) in by_row
    )


def _row(story: Story, api: str, jobs: Sequence[Job], found: Evidence) -> Row:
    expected = _expected(story, api)
    seen: Counter[Said] = Counter()
    problems: list[str] = []
    for job in jobs:
        seen.update(_recorded(report, expected) for report in found.reports(job))
        problems += (f"{job.surface}: {problem}" for problem in _problems(job, expected, found))
    return Row(story, api, len(jobs), expected, tuple(seen.most_common()), tuple(dict.fromkeys(problems)))


def _expected(story: Story, api: str) -> Said:
    told = story.expected(api)
    mode = told.failure_mode.value if told.failure_mode else None
    initiator = story.initiator.value if story.initiator else ""
    return Said(told.outcome.value, mode, _ordered(told.findings), told.http_status, told.error_type, initiator)


def _recorded(report: StreamReport, expected: Said) -> Said:
    """What the report says, as far as the row is about it."""
    cancel = report.cancel.initiator.value if report.cancel and expected.initiator else ""
    return Said(
        report.outcome.value,
        report.failure_mode.value if report.failure_mode else None,
        _ordered(report.findings),
        report.http_status,
        (report.error_type or "") if expected.error_type else "",
        cancel,
    )


def _ordered(findings: Iterable[Finding]) -> tuple[str, ...]:
    found = set(findings)
    return tuple(finding.value for finding in Finding if finding in found)


def _problems(job: Job, expected: Said, found: Evidence) -> Iterator[str]:
    if job.handle is None:
        yield f"the stream was not observed (the application saw: {job.raised or 'no error'})"
        return
    reports = found.reports(job)
    if len(reports) != 1:
        yield f"{len(reports)} reports in place of one"
    if (spans := found.tally.spans[job.handle.id]) != 1:
        yield f"{spans} spans in place of one"
    for report in reports:
        yield from _differences(_recorded(report, expected), expected)
        if job.number in found.logs:
            yield from _against_provider(job.story, report, found.logs[job.number])


def _differences(said: Said, expected: Said) -> Iterator[str]:
    for name, wanted in asdict(expected).items():
        if (got := getattr(said, name)) != wanted:
            yield f"{name} {_word(got)}, expected {_word(wanted)}"


def _against_provider(story: Story, report: StreamReport, log: RequestLog) -> Iterator[str]:
    """What the provider knows better: how much it sent, and whether it was let go."""
    counts = report.characters
    seen = counts.text + counts.reasoning + counts.tool_call
    if report.outcome in ENDED and seen != log.characters_sent:
        yield f"{seen} characters recorded, {log.characters_sent} sent"
    if story.initiator and report.outcome is Outcome.CANCELLED and log.ended != "client_closed":
        yield f"cancelled, but the provider was not let go: {log.ended or 'still open'}"


def _word(value: object) -> str:
    return "+".join(value) or "none" if isinstance(value, tuple) else str(value or "none")


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds, p50 and p95, of streams that had each; None where no stream had it."""

    api: str
    streams: int
    first_event_p50_s: float | None
    first_event_p95_s: float | None
    ttft_p50_s: float | None
    ttft_p95_s: float | None
    ttlt_p50_s: float | None
    ttlt_p95_s: float | None


def times_of(jobs: Sequence[Job], found: Evidence) -> tuple[Times, ...]:
    """First event, first visible text and last content beside each other, per API and for all streams."""
    by_api = {api: [report for job in jobs if job.api == api for report in found.reports(job)] for api in APIS}
    everything = [report for reports in by_api.values() for report in reports]
    return tuple(_times(api, reports) for api, reports in (*by_api.items(), ("all", everything)) if reports)


def _times(api: str, reports: Sequence[StreamReport]) -> Times:
    figures = [
        percentile([value for report in reports if (value := getattr(report, name)) is not None], share)
        for name in ("ttft_any_s", "ttft_s", "ttlt_s")
        for share in (0.5, 0.95)
    ]
    return Times(api, len(reports), *figures)


def percentile(values: Iterable[float], share: float) -> float | None:
    """The value that `share` of the values do not exceed (nearest rank); None of nothing."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1] if ordered else None


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that one run of the demo found."""

    seed: int
    duration_s: float
    rows: tuple[Row, ...]
    times: tuple[Times, ...]
    overhead: tuple[Cost, ...]
    tally: Tally
    stops: tuple[Stopped, ...] = ()
    sdks: dict[str, str] = field(default_factory=lambda: {name: version(name) for name in ("openai", "anthropic")})

    @property
    def streams(self) -> int:
        """How many streams were made."""
        return sum(row.streams for row in self.rows)

    @property
    def disagreeing(self) -> tuple[Row, ...]:
        """The rows in which the record does not tell the truth."""
        return tuple(row for row in self.rows if not row.agree)

    @property
    def agree(self) -> bool:
        """Whether the record tells the truth about every row and every press of Stop."""
        return not self.disagreeing and all(stop.agree for stop in self.stops)

    def to_dict(self) -> dict[str, Any]:
        """The object that `--json` prints; see this module's docstring for the keys."""
        verdicts = self.tally.verdicts
        return {
            "type": "streamgauge.demo",
            "schema": names.SCHEMA_VERSION,
            "agree": self.agree,
            "seed": self.seed,
            "streams": self.streams,
            "duration_s": self.duration_s,
            "conditions": CONDITIONS,
            "http_ok_share": self.tally.http_share,
            "users_ok_share": self.tally.users_share,
            "judged": self.tally.judged,
            "good": verdicts[Verdict.GOOD],
            "bad": verdicts[Verdict.BAD],
            "excluded": verdicts[Verdict.EXCLUDED],
            "rows": [row.to_dict() for row in self.rows],
            "times": [asdict(times) for times in self.times],
            "overhead": [{**asdict(cost), "ratio": cost.ratio} for cost in self.overhead],
            "stops": [stop.to_dict() for stop in self.stops],
            "sdks": self.sdks,
        }


CONDITIONS = {
    "stall_limit_s": conditions.STALL_LIMIT,
    "stall_s": conditions.STALL,
    "slow_first_s": conditions.SLOW_FIRST,
    "timeout_s": conditions.TIMEOUT,
    "patience_s": conditions.PATIENCE,
    "idle_limit_s": conditions.IDLE_LIMIT,
}
