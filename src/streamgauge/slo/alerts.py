"""Alerting rules: when a person must know.

Objectives come in, alert groups go out. Alerts compare sums that `rules.py` recorded. Labels are few and never hold a
measured value (a label that changes makes another alert); numbers live in the annotations.
"""

from collections.abc import Iterable
from decimal import ROUND_CEILING

from streamgauge.slo import promql
from streamgauge.slo.annotations import Subject, cause, description, events, impact, links
from streamgauge.slo.file import Objectives
from streamgauge.slo.rules import BAD, BUDGET_REMAINING, FAST, TOTAL, Alert, Group, Scope, scope_of, window_name
from streamgauge.slo.windows import MINUTE, PENDING, Clause

BURN = "StreamErrorBudgetBurn"
EXHAUSTED = "StreamErrorBudgetExhausted"
OBJECTIVE_ABSENT = "StreamSLOMetricAbsent"
TELEMETRY_ABSENT = "StreamTelemetryAbsent"
LOW_TRAFFIC = "StreamLowTrafficFailures"
CANCEL = "CancelNotEffective"
UNRECONCILED = "UnreconciledSideEffects"
ALERTS = (BURN, EXHAUSTED, OBJECTIVE_ABSENT, TELEMETRY_ABSENT, LOW_TRAFFIC, CANCEL, UNRECONCILED)

ABSENT_FOR, UNRECONCILED_FOR = 10 * MINUTE, 5 * MINUTE


def alert_groups(objectives: Objectives, scale: int = 1) -> tuple[Group, ...]:
    """One group of alerts per objective, and one for the telemetry as a whole."""
    scope = scope_of(objectives, scale)
    prefix = f"streamgauge-alerts-{objectives.service}"
    subjects = [Subject(objective, objectives, scope) for objective in objectives if objective.alerting.any]
    groups = [Group(f"{prefix}-{each.objective.name}", FAST, tuple(_alerts(each))) for each in subjects]
    if any(subject.sli is None for subject in subjects):
        groups.append(Group(prefix, FAST, (_telemetry_absent(objectives, scope),)))
    return tuple(groups)


def low_traffic_limit(subject: Subject) -> int:
    """Events in the longest window below which `min_failures` could keep a burn rate from being seen."""
    threshold = min(clause.threshold for clause in subject.clauses)
    at_guard = (subject.objective.alerting.min_failures / threshold).to_integral_value(ROUND_CEILING)
    return max(int(at_guard), subject.objective.alerting.min_events)


def _alerts(subject: Subject) -> Iterable[Alert]:
    yield from _burn_alerts(subject)
    yield _exhausted(subject)
    if subject.objective.alerting.low_traffic_failures:
        yield _low_traffic(subject)
    yield _objective_absent(subject)
    if not subject.objective.counted:
        yield _unreconciled(subject)


def _burn_alerts(subject: Subject) -> Iterable[Alert]:
    objective = subject.objective
    wanted = {"page": objective.alerting.page, "ticket": objective.alerting.ticket}
    for severity in ("page", "ticket"):
        parts = [_clause(subject, clause) for clause in subject.clauses if clause.severity == severity]
        if parts and wanted[severity]:
            expr = "max by (slo, service) (\n" + "\n  or\n".join(parts) + "\n)"
            text = {"summary": impact(subject, severity), **(cause(subject) if objective.by_outcome else {})}
            yield _alert(subject, objective.burn_alert, severity, expr, PENDING[severity], text)


def _clause(subject: Subject, clause: Clause) -> str:
    threshold, alerting = promql.number(clause.threshold), subject.objective.alerting
    long, short = ((subject.series(BAD, each), subject.series(TOTAL, each)) for each in (clause.long, clause.short))
    conditions = (
        f"{long[0]} > {threshold} * {long[1]}",
        f"{short[0]} > {threshold} * {short[1]}",
        f"{long[0]} >= {alerting.min_failures}",
        f"{long[1]} >= {alerting.min_events}",
    )
    return "  (\n    " + "\n    and on (slo, service) ".join(conditions) + "\n  )"


def _exhausted(subject: Subject) -> Alert:
    objective = subject.objective
    failures = f"{subject.series(BAD, objective.period)} >= {objective.alerting.min_failures}"
    expr = f"{subject.series(BUDGET_REMAINING)} <= 0\nand on (slo, service) {failures}"
    summary = f"The error budget of {objective.name} is used up for this {window_name(objective.period)}"
    return _alert(subject, EXHAUSTED, "info", expr, PENDING["ticket"], {"summary": summary})


def _low_traffic(subject: Subject) -> Alert:
    """A slow count where the guards of the burn clauses might hide failures: they degrade, they never silence."""
    window = max(clause.long for clause in subject.clauses)
    bad, total = subject.series(BAD, window), subject.series(TOTAL, window)
    conditions = (
        f"{bad} >= {subject.objective.alerting.low_traffic_failures}",
        f"{bad} > {promql.number(subject.objective.budget)} * {total}",
        f"{total} < {low_traffic_limit(subject)}",
    )
    expr = "max by (slo, service) (\n  " + "\n  and on (slo, service) ".join(conditions) + "\n)"
    few = (
        f'{{{{ $value | printf "%.0f" }}}} failures of {subject.objective.name} in {window_name(window)} at low traffic'
    )
    return _alert(subject, LOW_TRAFFIC, "ticket", expr, PENDING["ticket"], {"summary": few})


def _objective_absent(subject: Subject) -> Alert:
    expr = f"sum(absent({subject.source}))"
    if subject.sli is None:
        expr += f"\nunless on () absent({events(subject.scope)})"
    summary = f"Nobody measures {subject.objective.name}: its series are gone"
    return _alert(subject, OBJECTIVE_ABSENT, "ticket", expr, ABSENT_FOR, {"summary": summary})


def _telemetry_absent(objectives: Objectives, scope: Scope) -> Alert:
    owners = sorted({objective.owner for objective in objectives})
    labels = {"severity": "page", "service": scope.service, "owner": owners[0] if len(owners) == 1 else "all"}
    texts = {
        "summary": f"{scope.service} reports no stream verdicts at all: every stream SLO is blind",
        "description": "No verdict is counted: the service is down, is not scraped, or runs without its SLO file.",
        **links(TELEMETRY_ABSENT, objectives, "page"),
    }
    return Alert(TELEMETRY_ABSENT, f"sum(absent({events(scope)}))", ABSENT_FOR, labels, texts)


def _unreconciled(subject: Subject) -> Alert:
    threshold = promql.number(subject.objective.limit)
    severity = "page" if subject.objective.alerting.page else "ticket"
    summary = f"A side effect of {subject.scope.service} has been unreconciled for {{{{ $value | humanizeDuration }}}}"
    expr = f"max({subject.source}) > {threshold}"
    return _alert(subject, UNRECONCILED, severity, expr, UNRECONCILED_FOR, {"summary": summary})


def _alert(subject: Subject, name: str, severity: str, expr: str, pending: int, texts: dict[str, str]) -> Alert:
    objective = subject.objective
    labels = {"severity": severity, "slo": objective.name, "service": subject.scope.service, "owner": objective.owner}
    annotations = {
        "summary": texts.pop("summary"),
        "description": description(subject, severity),
        **texts,
        **links(name, subject.objectives, severity, objective.name),
    }
    return Alert(name, expr, pending, labels, annotations)
