"""Recording rules: one rule for all objectives wherever the series carry the objective's name.

Objectives come in, rule groups go out. Every window is a pair of sums (bad and total events), never a ratio: ratios of
sums are weighted by traffic, 0/0 cannot arise, and clauses compare `bad > threshold * total` without dividing. Windows
up to an hour come from the raw counters; longer ones add up five-minute tiles. A bad child that is not there yet
counts as 0.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from string import Template

from streamgauge import names
from streamgauge.names import Verdict
from streamgauge.slo import promql
from streamgauge.slo.file import Objectives
from streamgauge.slo.objective import Objective, Sli
from streamgauge.slo.windows import DAY, HOUR, MINUTE, SHORTEST, clauses

BAD = "streamgauge:slo_bad:increase"
TOTAL = "streamgauge:slo_total:increase"
BAD_TILE = "streamgauge:slo_bad:tile5m"
TOTAL_TILE = "streamgauge:slo_total:tile5m"
OBJECTIVE = "streamgauge:slo_objective:ratio"
BURN_RATE = "streamgauge:slo_burn_rate:ratio"
BUDGET_REMAINING = "streamgauge:slo_budget_remaining:ratio"
EXHAUSTION = "streamgauge:slo_budget_exhaustion:seconds"
INFO = "streamgauge:slo_info"
THRESHOLD = "streamgauge:slo_burn_threshold:ratio"
RECORDED = (BAD, TOTAL, BAD_TILE, TOTAL_TILE, OBJECTIVE, BURN_RATE, BUDGET_REMAINING, EXHAUSTION, INFO, THRESHOLD)

FROM_COUNTERS_UP_TO = HOUR
EXHAUSTION_WINDOW = 6 * HOUR
EXHAUSTION_CAP = 365 * DAY
FAST, SLOW = MINUTE, 2 * MINUTE


@dataclass(frozen=True, slots=True)
class Rule:
    """A recording rule; `level` tells in which pass it can be computed from history (0 reads raw series)."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)
    level: int = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule; `pending` is its `for`, in seconds."""

    alert: str
    expr: str
    pending: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """Rules evaluated together, one after the other, every `interval` seconds."""

    name: str
    interval: int
    rules: tuple[Rule | Alert, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """What all rules of one file share: the service, its selector, and the factor that every duration is divided by."""

    service: str
    selector: tuple[str, ...]
    slos: frozenset[str]
    scale: int = 1

    def duration(self, seconds: int) -> str:
        """A duration as this scope evaluates it."""
        return promql.duration(seconds, self.scale)

    def series(self, metric: str, slos: Iterable[str], window: int | None = None) -> str:
        """A recorded series of some objectives, at one window; all objectives of a service need no list."""
        wanted = tuple(slos)
        chosen = "" if self.slos == frozenset(wanted) and len(wanted) > 1 else promql.matcher("slo", wanted)
        at = promql.equals({"window": window_name(window)}) if window else ""
        return promql.selector(metric, chosen, promql.equals({"service": self.service}), at)


def scope_of(objectives: Objectives, scale: int = 1) -> Scope:
    """The scope that the file's objectives are evaluated in."""
    selector = tuple(promql.matcher(name, (value,)) for name, value in objectives.selector)
    return Scope(objectives.service, selector, frozenset(objective.name for objective in objectives), scale)


def window_name(seconds: int) -> str:
    """The label value of a window: always its nominal length, however short it is evaluated."""
    return promql.duration(seconds)


def windows_of(objective: Objective, objectives: Objectives) -> tuple[int, ...]:
    """Every window (seconds) that the objective is recorded over, shortest first."""
    used = {SHORTEST, 30 * MINUTE, HOUR, EXHAUSTION_WINDOW, objective.period}
    for clause in clauses(objective.period, objective.budget, objectives.pairs):
        used |= {clause.long, clause.short}
    return tuple(sorted(used))


def recording_groups(objectives: Objectives, scale: int = 1) -> tuple[Group, ...]:
    """All recording rules: raw windows, tiles, long windows, then what is derived from them."""
    scope = scope_of(objectives, scale)
    prefix = f"streamgauge-slo-{objectives.service}"
    by_window = _by_window(objectives)
    fast = {window: members for window, members in by_window.items() if window <= FROM_COUNTERS_UP_TO}
    groups = [
        Group(f"{prefix}-objectives", SLOW, tuple(_constants(objectives))),
        Group(f"{prefix}-counts", FAST, (*_raw_rules(objectives, fast, scope), *_burn_rules(fast, scope))),
        Group(f"{prefix}-tiles", SHORTEST, tuple(_tile_rules(scope))),
    ]
    for window, members in by_window.items():
        if window > FROM_COUNTERS_UP_TO:
            rules = (*_sum_rules(window, members, scope), *_burn_rules({window: members}, scope))
            groups.append(Group(f"{prefix}-{window_name(window)}", FAST if window < DAY else SLOW, rules))
    return (*groups, Group(f"{prefix}-budget", SLOW, tuple(_budget_rules(objectives, scope))))


def _by_window(objectives: Objectives) -> dict[int, tuple[Objective, ...]]:
    by_window: defaultdict[int, list[Objective]] = defaultdict(list)
    for objective in objectives:
        for window in windows_of(objective, objectives):
            by_window[window].append(objective)
    return {window: tuple(by_window[window]) for window in sorted(by_window)}


def _constants(objectives: Objectives) -> Iterable[Rule]:
    for objective in objectives:
        identity = {"slo": objective.name, "service": objectives.service}
        yield Rule(OBJECTIVE, f"vector({promql.number(objective.objective)})", identity)
        facts = {
            "kind": objective.kind,
            "owner": objective.owner,
            "target": promql.number(objective.target),
            "period": promql.duration(objective.period),
        }
        yield Rule(INFO, "vector(1)", {**identity, **facts})
        yield from _thresholds(objective, objectives, identity)


def _thresholds(objective: Objective, objectives: Objectives, identity: Mapping[str, str]) -> Iterable[Rule]:
    """The burn rates that the objective's own alerts wait for; `window` is the long window, `short` the short one."""
    for clause in clauses(objective.period, objective.budget, objectives.pairs):
        if getattr(objective.alerting, clause.severity):
            windows = {"window": window_name(clause.long), "short": window_name(clause.short)}
            factor = promql.number(round(clause.factor, 6))
            yield Rule(THRESHOLD, f"vector({factor})", {**identity, "severity": clause.severity, **windows})


def _raw_rules(objectives: Objectives, by_window: Mapping[int, tuple[Objective, ...]], scope: Scope) -> Iterable[Rule]:
    for window, members in by_window.items():
        read = [(objective, objective.sli(objectives.form, scope.selector)) for objective in members]
        yield from _verdict_rules(tuple(objective.name for objective, sli in read if sli is None), window, scope)
        for objective, sli in read:
            if sli is not None:
                yield from _own_rules(objective, sli, window, scope)


def _verdict_rules(slos: tuple[str, ...], window: int, scope: Scope) -> Iterable[Rule]:
    if not slos:
        return
    labels = {"service": scope.service, "window": window_name(window)}
    total = _counted(slos, (Verdict.GOOD, Verdict.BAD), window, scope)
    bad = _counted(slos, (Verdict.BAD,), window, scope)
    yield Rule(TOTAL, total, labels)
    yield Rule(BAD, f"{bad}\nor\n{total} * 0", labels)


def _counted(slos: tuple[str, ...], verdicts: tuple[str, ...], window: int, scope: Scope) -> str:
    name = promql.label(names.SLO)
    matchers = (promql.matcher(name, slos), promql.matcher(promql.label(names.VERDICT), verdicts), *scope.selector)
    increase = f"increase({promql.selector(names.SLO_EVENTS.prometheus, *matchers)}[{scope.duration(window)}])"
    return f'sum by (slo) (label_replace(sum by ({name}) ({increase}), "slo", "$1", "{name}", "(.+)"))'


def _own_rules(objective: Objective, sli: Sli, window: int, scope: Scope) -> Iterable[Rule]:
    labels = {"slo": objective.name, "service": scope.service, "window": window_name(window)}
    times = {"range": scope.duration(window), "step": scope.duration(MINUTE)}
    total = Template(sli.total).substitute(times)
    yield Rule(TOTAL, total, labels)
    yield Rule(BAD, f"({Template(sli.bad).substitute(times)})\nor\n({total}) * 0", labels)


def _tile_rules(scope: Scope) -> Iterable[Rule]:
    """Events of five minutes, averaged over the evaluations in between so that none falls between two tiles."""
    for tile, increase in ((TOTAL_TILE, TOTAL), (BAD_TILE, BAD)):
        series = scope.series(increase, sorted(scope.slos), SHORTEST)
        yield Rule(tile, f"sum without (window) (avg_over_time({series}[{scope.duration(SHORTEST)}]))", level=1)


def _sum_rules(window: int, members: Iterable[Objective], scope: Scope) -> Iterable[Rule]:
    slos = tuple(each.name for each in members)
    for increase, tile in ((TOTAL, TOTAL_TILE), (BAD, BAD_TILE)):
        expr = f"sum_over_time({scope.series(tile, slos)}[{scope.duration(window)}])"
        yield Rule(increase, expr, {"window": window_name(window)}, level=2)


def _burn_rules(by_window: Mapping[int, tuple[Objective, ...]], scope: Scope) -> Iterable[Rule]:
    """Share of bad events over the share allowed; 0 while there is no traffic."""
    for window, members in by_window.items():
        slos = tuple(each.name for each in members)
        bad, total = scope.series(BAD, slos, window), scope.series(TOTAL, slos, window)
        budget = f"(1 - {scope.series(OBJECTIVE, slos)})"
        expr = f"({bad} / ({total} > 0) or {total} * 0)\n/ on (slo, service) group_left ()\n{budget}"
        yield Rule(BURN_RATE, expr, {"window": window_name(window)}, level=3)


def _budget_rules(objectives: Objectives, scope: Scope) -> Iterable[Rule]:
    by_period: defaultdict[int, list[str]] = defaultdict(list)
    for objective in objectives:
        by_period[objective.period].append(objective.name)
    periods = sorted(by_period.items())
    yield Rule(BUDGET_REMAINING, "\nor\n".join(_remaining(period, slos, scope) for period, slos in periods), level=4)
    yield Rule(EXHAUSTION, "\nor\n".join(_exhaustion(period, slos, scope) for period, slos in periods), level=5)


def _remaining(period: int, slos: Iterable[str], scope: Scope) -> str:
    return f"1 - sum without (window) ({scope.series(BURN_RATE, slos, period)})"


def _exhaustion(period: int, slos: Iterable[str], scope: Scope) -> str:
    """Seconds until the budget is gone at the burn rate of the last six hours: 0 when it is gone, a year when nothing
    burns."""
    slos = tuple(slos)
    left = scope.series(BUDGET_REMAINING, slos)
    burn = f"sum without (window) ({scope.series(BURN_RATE, slos, EXHAUSTION_WINDOW)} > 0)"
    length, cap = (promql.number(Decimal(seconds) / scope.scale) for seconds in (period, EXHAUSTION_CAP))
    return f"clamp_max(clamp_min({left} * {length} / {burn}, 0), {cap})\nor\n({left} > bool 0) * {cap}"
