"""What an objective means in streams, minutes and pages, before it is deployed.

Objectives come in, plain numbers go out; the command line prints them. The times hold for steady traffic and failures
that start at once: a clause fires after `long * threshold / failing`, then `for`, one evaluation of the sums and one of
the alert that reads them. Windows made of five-minute tiles lag by two: one to average over, one to wait for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from streamgauge.slo import promql
from streamgauge.slo.file import Objectives
from streamgauge.slo.objective import Alerting, Objective
from streamgauge.slo.rules import FAST, FROM_COUNTERS_UP_TO, SLOW
from streamgauge.slo.windows import DAY, PENDING, SHORTEST, Clause, clauses, unreachable

FAILING = (Decimal(1), Decimal("0.5"), Decimal("0.1"))


@dataclass(frozen=True, slots=True)
class Explanation:
    """One objective in numbers; times in seconds, None where it never happens."""

    name: str
    target: Decimal
    period: int
    budget: Decimal
    budget_streams: int
    budget_seconds: int
    clauses: tuple[Clause, ...]
    alerting: Alerting
    to_page: tuple[tuple[Decimal, int | None], ...]
    to_ticket: tuple[tuple[Decimal, int | None], ...]
    single_failure_below: int
    warnings: tuple[str, ...]


def explain(objectives: Objectives, per_day: int = 10_000) -> tuple[Explanation, ...]:
    """Every objective of the file, for a traffic of `per_day` streams."""
    return tuple(_explained(objective, objectives, per_day) for objective in objectives)


def warnings(objectives: Objectives) -> Iterable[str]:
    """What is allowed but probably not meant: pages that cannot happen, targets that no traffic can prove."""
    for objective in objectives:
        yield from (f"{objective.place}: {objective.name}: {text}" for text in _warnings(objective, objectives))


def seconds_until(severity: str, failing: Decimal, objective: Objective, objectives: Objectives) -> int | None:
    """Seconds from the start of failures at ratio `failing` until the alert fires; None when it never does."""
    wanted = objective.alerting.page if severity == "page" else objective.alerting.ticket
    made = [
        clause
        for clause in clauses(objective.period, objective.budget, objectives.pairs)
        if clause.severity == severity
    ]
    times = [time for clause in made if (time := _seconds(clause, failing)) is not None]
    return min(times) if times and wanted else None


def _seconds(clause: Clause, failing: Decimal) -> int | None:
    holds = clause.seconds_to_fire(failing)
    if holds is None:
        return None
    tiles = 0 if clause.long <= FROM_COUNTERS_UP_TO else 2 * SHORTEST
    evaluations = (FAST if clause.long < DAY else SLOW) + FAST
    return int(holds.to_integral_value(ROUND_CEILING)) + PENDING[clause.severity] + evaluations + tiles


def _explained(objective: Objective, objectives: Objectives, per_day: int) -> Explanation:
    made = clauses(objective.period, objective.budget, objectives.pairs)
    days = Decimal(objective.period) / 86_400
    pages = [clause.threshold for clause in made if clause.severity == "page"] or [Decimal(1)]
    return Explanation(
        name=objective.name,
        target=objective.target,
        period=objective.period,
        budget=objective.budget,
        budget_streams=int(per_day * days * objective.budget),
        budget_seconds=int(objective.period * objective.budget),
        clauses=made,
        alerting=objective.alerting,
        to_page=tuple((failing, seconds_until("page", failing, objective, objectives)) for failing in FAILING),
        to_ticket=tuple((failing, seconds_until("ticket", failing, objective, objectives)) for failing in FAILING),
        single_failure_below=int((1 / max(pages)).to_integral_value(ROUND_CEILING)),
        warnings=tuple(_warnings(objective, objectives)),
    )


def _warnings(objective: Objective, objectives: Objectives) -> Iterable[str]:
    made = clauses(objective.period, objective.budget, objectives.pairs)
    if objective.alerting.page and not any(clause.severity == "page" for clause in made):
        yield "it can never page: no page clause is reachable at this target"
    for clause in unreachable(objective.period, objective.budget, objectives.pairs):
        stand_in = "; the outage clause pages instead" if any(each.outage for each in made) else ""
        factor = promql.number(round(clause.factor, 2))
        yield (
            f"{factor}x over {promql.duration(clause.long)} is out of reach at {promql.number(objective.target)} % "
            f"(a total outage burns {promql.number(round(1 / objective.budget, 2))}x){stand_in}"
        )
    if objective.alerting.any and objective.alerting.min_failures == 0:
        yield "min_failures is 0: a single failure among few streams pages"
