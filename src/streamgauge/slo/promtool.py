"""Unit tests for the generated rules, in promtool's language: every alert fires, stays silent, and resets.

Objectives come in, test documents go out; a real `promtool test rules` runs them against the very rule files that are
shipped. All objectives share each test, so that an alert that should not be there is seen too. Ratios stand one
percent above and one percent below their thresholds.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from streamgauge import names
from streamgauge.names import Outcome, Verdict
from streamgauge.slo import alerts, promql
from streamgauge.slo.file import Objectives
from streamgauge.slo.objective import Objective
from streamgauge.slo.rules import BUDGET_REMAINING, BURN_RATE, EXHAUSTION, EXHAUSTION_CAP, Alert
from streamgauge.slo.windows import MINUTE, Clause, clauses

PER_MINUTE = Decimal(1000)
ABOVE, BELOW = Decimal("1.01"), Decimal("0.99")
SETTLED = 60
MODEL = "model-a"
_SCRAPED = {"job": "chat", "instance": "10.0.0.1:9464"}
_COLLECTED = {**_SCRAPED, "otel_scope_name": names.SCOPE, "otel_scope_version": names.SCHEMA_VERSION}
_FILLED = re.compile(r"\{\{ with query `(?P<query>[^`]*)` \}\}(?P<then>.*?)\{\{ else \}\}.*?\{\{ end \}\}")

Phases = tuple[tuple[int, Decimal], ...]
"""Minutes and the failure ratio during them, one after the other."""


@dataclass(frozen=True, slots=True)
class Case:
    """One promtool test: failure ratios per objective, what fires when, and what queries give."""

    name: str
    series: list[dict[str, str]]
    alert_rules: list[dict[str, Any]]
    expressions: list[dict[str, Any]]
    interval: str = "1m"

    def to_dict(self) -> dict[str, Any]:
        """As promtool reads it."""
        return {
            "name": self.name,
            "interval": self.interval,
            "input_series": self.series,
            "alert_rule_test": self.alert_rules,
            "promql_expr_test": self.expressions,
        }


def documents(objectives: Objectives, rule_files: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Test files by name: `burn.test.yaml` evaluated every minute, `counts.test.yaml` every four."""
    judged = [objective for objective in objectives if objective.alerting.any and objective.counted]
    burn = [
        *_steady(judged, objectives),
        *_fast(judged, objectives),
        *_absent(judged, objectives),
        *_idle(judged, objectives),
    ]
    burn += _unreconciled(objectives)
    files = sorted(rule_files)
    return {
        "burn.test.yaml": _document(files, "1m", burn),
        "counts.test.yaml": _document(files, "4m", [*_low_traffic(judged, objectives)]),
    }


def _document(files: list[str], interval: str, cases: Iterable[Case]) -> dict[str, Any]:
    return {"rule_files": files, "evaluation_interval": interval, "tests": [case.to_dict() for case in cases]}


# Steady failures: all windows hold the same ratio from the first minute on, so every number of the text is known.


def _steady(judged: list[Objective], objectives: Objectives) -> Iterable[Case]:
    rows: tuple[tuple[str, str, Decimal, tuple[str, ...]], ...] = (
        ("pages just above the slowest page clause", "page", ABOVE, ("page", "ticket", "info")),
        ("does not page just below it", "page", BELOW, ("ticket", "info")),
        ("tickets just above the ticket clause", "ticket", ABOVE, ("ticket", "info")),
        ("does not ticket just below it", "ticket", BELOW, ("info",)),
    )
    for name, severity, factor, severities in rows:
        ratios = {each.name: _lowest(each, objectives, severity).threshold * factor for each in judged}
        series = [line for each in judged for line in _lines(each, objectives, ((SETTLED, ratios[each.name]),))]
        expected = dict.fromkeys(severities, ratios)
        series += [*_truncated(objectives), *_reconciled(objectives, f"0x{SETTLED}")]
        yield Case(name, series, _expected(judged, objectives, expected, f"{SETTLED}m"), [])


def _lowest(objective: Objective, objectives: Objectives, severity: str) -> Clause:
    made = clauses(objective.period, objective.budget, objectives.pairs)
    return min((clause for clause in made if clause.severity == severity), key=lambda clause: clause.threshold)


def _expected(
    judged: list[Objective], objectives: Objectives, ratios: Mapping[str, Mapping[str, Decimal]], at: str
) -> list[dict[str, Any]]:
    by_name: dict[str, list[dict[str, Any]]] = {name: [] for name in alerts.ALERTS}
    for group in alerts.alert_groups(objectives.only(*(each.name for each in judged))):
        for rule in group.rules:
            if isinstance(rule, Alert) and _fires(rule, judged, objectives, ratios):
                by_name[rule.alert].append(_rendered(rule, judged, ratios[rule.labels["severity"]]))
    return [{"eval_time": at, "alertname": name, "exp_alerts": found} for name, found in by_name.items()]


def _fires(
    rule: Alert, judged: list[Objective], objectives: Objectives, ratios: Mapping[str, Mapping[str, Decimal]]
) -> bool:
    objective = next((each for each in judged if each.name == rule.labels.get("slo")), None)
    if objective is None or rule.labels["severity"] not in ratios:
        return False
    ratio = ratios[rule.labels["severity"]][objective.name]
    if rule.alert == alerts.EXHAUSTED:
        return ratio >= objective.budget
    return (
        rule.alert == objective.burn_alert and ratio > _lowest(objective, objectives, rule.labels["severity"]).threshold
    )


def _rendered(rule: Alert, judged: list[Objective], ratios: Mapping[str, Decimal]) -> dict[str, Any]:
    objective = next(each for each in judged if each.name == rule.labels["slo"])
    texts = {key: _text(text, objective, ratios[objective.name]) for key, text in rule.annotations.items()}
    return {"exp_labels": dict(rule.labels), "exp_annotations": texts}


def _text(template: str, objective: Objective, ratio: Decimal) -> str:
    """The template as Prometheus fills it while every window has the same failure ratio."""

    def value(found: re.Match[str]) -> str:
        query, then = found["query"], found["then"]
        if "cause" in then:
            return then.replace('{{ . | first | label "cause" }}', f"outcome-{Outcome.TRUNCATED}").replace(
                f'{{{{ . | first | label "{promql.label(names.REQUEST_MODEL)}" }}}}', MODEL
            )
        form = then.removesuffix(" }}").rsplit(" | ", 1)[1]
        return _FORMS[form](_value(query, objective, ratio))

    return _FILLED.sub(value, template)


def _value(query: str, objective: Objective, ratio: Decimal) -> float:
    burn = ratio / objective.budget
    left = 1 - burn
    if query.startswith("1 - "):
        return float(1 - ratio)
    if query.startswith(BURN_RATE):
        return float(burn)
    if query.startswith(BUDGET_REMAINING):
        return float(left)
    if query.startswith(EXHAUSTION):
        return float(min(max(left * objective.period / burn, Decimal(0)), Decimal(EXHAUSTION_CAP)))
    return float(ratio)


def _humanize_duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), MINUTE)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h {minutes}m {rest}s"
    return f"{hours}h {minutes}m {rest}s" if hours else f"{minutes}m {rest}s" if minutes else f"{seconds:.4g}s"


_FORMS: Mapping[str, Callable[[float], str]] = {
    "humanizePercentage": lambda value: f"{value * 100:.4g}%",
    "humanize": lambda value: f"{value:.4g}" if value >= 1 else f"{value * 1000:.4g}m",
    "humanizeDuration": _humanize_duration,
}


# A sudden failure after healthy hours: only the fast clause can see it, and its short window ends the page soon.


def _fast(judged: list[Objective], objectives: Objectives) -> Iterable[Case]:
    for name, factor, pages in (
        ("pages on a sudden failure, and resets", ABOVE, True),
        ("stays below it", BELOW, False),
    ):
        lead = 3 * 60
        phases: dict[str, Phases] = {}
        ends: dict[str, int] = {}
        for each in judged:
            clause = min(_pages(each, objectives), key=lambda clause: clause.long)
            minutes = clause.long // MINUTE + 4
            phases[each.name] = ((lead, Decimal(0)), (minutes, clause.threshold * factor), (40, Decimal(0)))
            ends[each.name] = lead + minutes
        series = [line for each in judged for line in _lines(each, objectives, phases[each.name])]
        checks = [_firing(each, objectives, "page", ends[each.name], pages) for each in judged]
        checks += [_firing(each, objectives, "page", ends[each.name] + 36, False) for each in judged]
        yield Case(name, series, [], checks)


def _pages(objective: Objective, objectives: Objectives) -> list[Clause]:
    made = clauses(objective.period, objective.budget, objectives.pairs)
    return [clause for clause in made if clause.severity == "page"]


def _firing(objective: Objective, objectives: Objectives, severity: str, minute: int, fires: bool) -> dict[str, Any]:
    labels = {
        "alertname": objective.burn_alert,
        "alertstate": "firing",
        "severity": severity,
        "slo": objective.name,
        "service": objectives.service,
        "owner": objective.owner,
    }
    query = promql.selector(
        "ALERTS", promql.equals({"slo": objective.name, "severity": severity, "alertstate": "firing"})
    )
    sample = {"labels": promql.selector("ALERTS", promql.equals(labels)), "value": 1}
    return {"expr": query, "eval_time": f"{minute}m", "exp_samples": [sample] if fires else []}


# Absence, idleness, side effects, low traffic.


def _absent(judged: list[Objective], objectives: Objectives) -> Iterable[Case]:
    if not judged:
        return
    healthy = {each.name: _lines(each, objectives, ((SETTLED, Decimal(0)),)) for each in judged}
    gone = judged[0]
    rows = (
        ("tells when one objective's series are gone", (gone.name,), (gone,), ()),
        ("tells once when all are gone", tuple(healthy), (), (alerts.TELEMETRY_ABSENT,)),
        ("is silent when all are there", (), (), ()),
    )
    for name, without, objectives_absent, all_absent in rows:
        series = [line for slo, lines in healthy.items() if slo not in without for line in lines]
        expected = [_plain(alerts.OBJECTIVE_ABSENT, {each.name for each in objectives_absent}, objectives)]
        expected.append(_plain(alerts.TELEMETRY_ABSENT, {""} if all_absent else set(), objectives))
        yield Case(name, [*series, *_reconciled(objectives, "0x60")], expected, [])


def _plain(alert: str, slos: set[str], objectives: Objectives, at: str = "30m") -> dict[str, Any]:
    rules = [rule for group in alerts.alert_groups(objectives) for rule in group.rules if isinstance(rule, Alert)]
    chosen = [rule for rule in rules if rule.alert == alert and rule.labels.get("slo", "") in slos]
    found = [{"exp_labels": dict(rule.labels), "exp_annotations": _unknown(rule)} for rule in chosen]
    return {"eval_time": at, "alertname": alert, "exp_alerts": found}


def _unknown(rule: Alert) -> dict[str, str]:
    return {key: _FILLED.sub("unknown", text) for key, text in rule.annotations.items()}


def _idle(judged: list[Objective], objectives: Objectives) -> Iterable[Case]:
    series = [line for each in judged for line in _lines(each, objectives, ((SETTLED, Decimal(0)),), Decimal(0))]
    series += _reconciled(objectives, "0x60")
    silent = [{"eval_time": f"{SETTLED}m", "alertname": name, "exp_alerts": []} for name in alerts.ALERTS]
    whole = [
        {
            "expr": promql.selector(metric, promql.equals({"slo": each.name, **window})),
            "eval_time": f"{SETTLED}m",
            "exp_samples": [
                {
                    "labels": promql.selector(
                        metric, promql.equals({"service": objectives.service, "slo": each.name, **window})
                    ),
                    "value": value,
                }
            ],
        }
        for each in judged
        for metric, window, value in (
            (BURN_RATE, {"window": "1h"}, 0),
            (BUDGET_REMAINING, {}, 1),
            (EXHAUSTION, {}, EXHAUSTION_CAP),
        )
    ]
    yield Case("stays silent and finite without traffic", series, silent, whole)


def _unreconciled(objectives: Objectives) -> Iterable[Case]:
    for objective in (each for each in objectives if not each.counted and each.alerting.any):
        limit = int(objective.limit)
        values = f"0x10 {limit + 1}x20 0x20"
        rule = {"slo": objective.name, "service": objectives.service, "owner": objective.owner}
        severity = "page" if objective.alerting.page else "ticket"
        labels = {"alertname": alerts.UNRECONCILED, "alertstate": "firing", "severity": severity, **rule}
        query = promql.selector("ALERTS", promql.equals({"alertname": alerts.UNRECONCILED, "alertstate": "firing"}))
        sample = {"labels": promql.selector("ALERTS", promql.equals(labels)), "value": 1}
        checks: list[dict[str, Any]] = [
            {"expr": query, "eval_time": "14m", "exp_samples": []},
            {"expr": query, "eval_time": "20m", "exp_samples": [sample]},
            {"expr": query, "eval_time": "40m", "exp_samples": []},
        ]
        yield Case(f"tells of an effect that waits longer than {limit} s", _reconciled(objectives, values), [], checks)


def _low_traffic(judged: list[Objective], objectives: Objectives) -> Iterable[Case]:
    """Failures fall between two scrapes in the middle of a tile, at one good stream every forty minutes."""
    guarded = [objective for objective in judged if objective.alerting.low_traffic_failures]
    for name, enough in (
        ("the first failure ever is silent", False),
        ("a few failures at low traffic make a ticket", True),
    ):
        lines: list[dict[str, str]] = []
        checks: list[dict[str, Any]] = []
        for objective in guarded:
            count = objective.alerting.low_traffic_failures if enough else 1
            bad = " ".join(f"{each}x39" for each in range(count)) + f" {count}x1200"
            good = "0x9 " + " ".join(f"{each}x159" for each in range(1, 8))
            lines += _counter_lines(objective, objectives, good, bad)
            checks.append(_low_traffic_check(objective, objectives, enough))
        yield Case(name, lines, [], checks, "15s")


def _low_traffic_check(objective: Objective, objectives: Objectives, fires: bool) -> dict[str, Any]:
    labels = {"alertname": alerts.LOW_TRAFFIC, "alertstate": "firing", "severity": "ticket", "slo": objective.name}
    labels |= {"service": objectives.service, "owner": objective.owner}
    query = promql.selector("ALERTS", promql.equals({"slo": objective.name, "alertstate": "firing"}))
    sample = {"labels": promql.selector("ALERTS", promql.equals(labels)), "value": 1}
    return {"expr": query, "eval_time": "4h", "exp_samples": [sample] if fires else []}


# Series.


def _lines(
    objective: Objective, objectives: Objectives, phases: Phases, per_minute: Decimal = PER_MINUTE
) -> list[dict[str, str]]:
    good = _values([(minutes, per_minute * (1 - ratio)) for minutes, ratio in phases])
    bad = _values([(minutes, per_minute * ratio) for minutes, ratio in phases])
    return _counter_lines(objective, objectives, good, bad)


def _counter_lines(objective: Objective, objectives: Objectives, good: str, bad: str) -> list[dict[str, str]]:
    extra = _COLLECTED if len(objective.name) % 2 else _SCRAPED
    identity = {**extra, **dict(objectives.selector), promql.label(names.SLO): objective.name}
    rows = ((Verdict.GOOD, good), (Verdict.BAD, bad), (Verdict.EXCLUDED, "0x60"))
    return [
        {
            "series": promql.selector(
                names.SLO_EVENTS.prometheus, promql.equals({**identity, promql.label(names.VERDICT): verdict})
            ),
            "values": values,
        }
        for verdict, values in rows
    ]


def _values(rates: list[tuple[int, Decimal]]) -> str:
    """promtool's `start+step x count` notation of a counter that grows at these rates per minute."""
    parts, level = [], Decimal(0)
    for minutes, rate in rates:
        parts.append(f"{promql.number(level + rate)}+{promql.number(rate)}x{minutes - 1}")
        level += rate * minutes
    return "0 " + " ".join(parts)


def _truncated(objectives: Objectives) -> list[dict[str, str]]:
    labels = {promql.label(names.OUTCOME): Outcome.TRUNCATED, promql.label(names.REQUEST_MODEL): MODEL}
    labels |= {promql.label(names.PROVIDER_NAME): "openai", **dict(objectives.selector)}
    return [{"series": promql.selector(names.STREAMS.prometheus, promql.equals(labels)), "values": f"0+5x{SETTLED}"}]


def _reconciled(objectives: Objectives, values: str) -> list[dict[str, str]]:
    selector = promql.equals(dict(objectives.selector)) if objectives.selector else ""
    return [{"series": promql.selector(names.UNRECONCILED_AGE.prometheus, selector), "values": values}]
