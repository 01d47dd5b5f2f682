"""When would these objectives have paged? Recorded reports are judged and the clauses applied, minute by minute.

JSON lines come in (one report each, as `StreamReport.to_dict` writes them), a result per objective goes out. The same
verdicts, windows, guards and `for` as the generated rules, without a Prometheus: counts are exact here, extrapolated
there.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

from streamgauge.errors import ConfigError
from streamgauge.names import Verdict
from streamgauge.slo.file import Objectives
from streamgauge.slo.objective import Objective
from streamgauge.slo.windows import MINUTE, PENDING, Clause, clauses

_KIND = "streamgauge.stream"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alert that would have fired, from and until epoch seconds; `until` is None while it would still be firing."""

    severity: str
    since: int
    until: int | None


@dataclass(slots=True)
class Result:
    """One objective over the recorded time."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    alarms: list[Alarm] = field(default_factory=list)

    @property
    def sli(self) -> float | None:
        """Share of good streams; None without any."""
        judged = self.counts[Verdict.GOOD] + self.counts[Verdict.BAD]
        return self.counts[Verdict.GOOD] / judged if judged else None


def reports(lines: Iterable[str], source: str = "<jsonl>") -> Iterator[Any]:
    """Reports out of JSON lines; other types of lines are passed over, broken ones are an error with their line."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            report = json.loads(line, object_hook=lambda found: SimpleNamespace(**found))
        except json.JSONDecodeError as error:
            raise ConfigError(
                "report", line[:40], f"one JSON object a line ({error.msg})", f"{source}:{number}"
            ) from error
        if getattr(report, "type", None) == _KIND:
            yield report


def backtest(objectives: Objectives, recorded: Iterable[Any]) -> tuple[Result, ...]:
    """A result per objective, in the file's order; streams count in the minute in which they ended."""
    results = {objective.name: Result(objective.name) for objective in objectives if objective.counted}
    minutes: dict[str, dict[Verdict, Counter[int]]] = {
        name: {Verdict.GOOD: Counter(), Verdict.BAD: Counter()} for name in results
    }
    for report in recorded:
        minute = int((report.started_unix_ns / 1e9 + report.duration_s) // MINUTE)
        for name, verdict in objectives.verdicts(report).items():
            results[name].counts[verdict] += 1
            if verdict is not Verdict.EXCLUDED:
                minutes[name][verdict][minute] += 1
            if verdict is Verdict.BAD:
                results[name].causes.update([str(report.outcome), *(str(word) for word in report.findings)])
    for objective in objectives:
        if objective.counted:
            results[objective.name].alarms = _alarms(objective, objectives, minutes[objective.name])
    return tuple(results.values())


def _alarms(objective: Objective, objectives: Objectives, minutes: dict[Verdict, Counter[int]]) -> list[Alarm]:
    bad, good = minutes[Verdict.BAD], minutes[Verdict.GOOD]
    if not bad:
        return []
    first, made = min((*bad, *good)), clauses(objective.period, objective.budget, objectives.pairs)
    last = max((*bad, *good)) + max(clause.short for clause in made) // MINUTE
    span = range(first, last + 1)
    sums_bad = [0, *accumulate(bad[minute] for minute in span)]
    sums_all = [0, *accumulate(bad[minute] + good[minute] for minute in span)]
    found = []
    for severity, wanted in (("page", objective.alerting.page), ("ticket", objective.alerting.ticket)):
        chosen = [clause for clause in made if clause.severity == severity]
        held = [
            wanted and any(_holds(clause, objective, sums_bad, sums_all, at) for clause in chosen)
            for at in range(1, len(span) + 1)
        ]
        found += [
            Alarm(severity, (first + since) * MINUTE, until and (first + until) * MINUTE)
            for since, until in _fired(held, severity)
        ]
    return sorted(found, key=lambda alarm: alarm.since)


def _holds(clause: Clause, objective: Objective, bad: list[int], all_: list[int], at: int) -> bool:
    def increase(sums: list[int], window: int) -> int:
        return sums[at] - sums[max(0, at - window // MINUTE)]

    threshold, alerting = float(clause.threshold), objective.alerting
    long_bad, long_all = increase(bad, clause.long), increase(all_, clause.long)
    return (
        long_bad > threshold * long_all
        and increase(bad, clause.short) > threshold * increase(all_, clause.short)
        and long_bad >= alerting.min_failures
        and long_all >= alerting.min_events
    )


def _fired(held: list[bool], severity: str) -> Iterator[tuple[int, int | None]]:
    """Minutes in which the alert fires: `for` after its condition began to hold, until it no longer holds."""
    pending, since = PENDING[severity] // MINUTE, None
    for minute, holds in enumerate([*held, False], 1):
        if holds and since is None:
            since = minute
        elif not holds and since is not None:
            if minute - since > pending:
                yield since + pending, minute if minute <= len(held) else None
            since = None
