"""What an alert says: the impact in one sentence, the numbers behind it, the likely cause, and where to look next.

A subject (one objective within its file) comes in, annotations with Prometheus templates go out; the templates'
queries read recorded series, so that the text holds the numbers of the moment.
"""

from dataclasses import dataclass

from streamgauge import names
from streamgauge.names import Verdict
from streamgauge.slo import promql
from streamgauge.slo.file import Objectives
from streamgauge.slo.objective import Objective, Sli
from streamgauge.slo.rules import BAD, BUDGET_REMAINING, BURN_RATE, EXHAUSTION, TOTAL, Scope, window_name
from streamgauge.slo.windows import HOUR, Clause, clauses

DASHBOARD = "streamgauge-slo"
SUMMARY_WINDOW = {"page": HOUR, "ticket": 6 * HOUR, "info": 6 * HOUR}
_LOOK_BACK = {"page": "6h", "ticket": "7d", "info": "30d"}


@dataclass(frozen=True, slots=True)
class Subject:
    """One objective, the file it stands in, and the scope its rules are evaluated in."""

    objective: Objective
    objectives: Objectives
    scope: Scope

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The objective's clauses."""
        return clauses(self.objective.period, self.objective.budget, self.objectives.pairs)

    @property
    def sli(self) -> Sli | None:
        """Where the objective is read from, when not from the verdict counter."""
        return self.objective.sli(self.objectives.form, self.scope.selector)

    @property
    def source(self) -> str:
        """Selector of the series without which nobody measures the objective."""
        return self.sli.source if self.sli else events(self.scope, self.objective.name)

    def series(self, metric: str, window: int | None = None) -> str:
        """A recorded series of the objective."""
        return self.scope.series(metric, (self.objective.name,), window)

    def ratio(self, window: int) -> str:
        """The share of bad events over a window; empty without events."""
        return f"{self.series(BAD, window)} / ({self.series(TOTAL, window)} > 0)"


def events(scope: Scope, slo: str | None = None) -> str:
    """Selector of the verdict counter, of one objective or of all."""
    own = promql.matcher(promql.label(names.SLO), (slo,)) if slo else ""
    return promql.selector(names.SLO_EVENTS.prometheus, own, *scope.selector)


def filled(query: str, form: str) -> str:
    """A template that prints the query's value, or `unknown`."""
    return f"{{{{ with query `{query}` }}}}{{{{ . | first | value | {form} }}}}{{{{ else }}}}unknown{{{{ end }}}}"


def impact(subject: Subject, severity: str) -> str:
    """How many users are hit, and how."""
    share = filled(subject.ratio(SUMMARY_WINDOW[severity]), "humanizePercentage")
    return f"{share} of {subject.objective.fails.format(service=subject.scope.service)}"


def description(subject: Subject, severity: str) -> str:
    """SLI against objective, burn rates, what is left and for how long."""
    objective, window = subject.objective, SUMMARY_WINDOW[severity]
    sli = filled(f"1 - {subject.ratio(window)}", "humanizePercentage")
    fast, slow = (filled(subject.series(BURN_RATE, each), "humanize") for each in (HOUR, 6 * HOUR))
    left = filled(subject.series(BUDGET_REMAINING), "humanizePercentage")
    end = filled(subject.series(EXHAUSTION), "humanizeDuration")
    return (
        f"SLI {sli} over {window_name(window)} against {promql.number(objective.target)}% ({objective.name}). "
        f"Burn rate {fast}x over 1h, {slow}x over 6h. "
        f"Budget left {left} of {window_name(objective.period)}, exhausted in {end} at the rate of the last 6h."
    )


def cause(subject: Subject) -> dict[str, str]:
    """The most frequent bad ending or finding of the last hour, by model, with its own runbook."""
    model, runbooks = promql.label(names.REQUEST_MODEL), subject.objectives.runbooks
    top = f'{{{{ with query `{_causes(subject)}` }}}}{{{{ . | first | label "cause" }}}}'
    texts = {"cause": f'{top} ({{{{ . | first | label "{model}" }}}}){{{{ else }}}}none counted{{{{ end }}}}'}
    if runbooks:
        texts["cause_runbook_url"] = f"{runbooks}/{top}{{{{ else }}}}README{{{{ end }}}}.md"
    return texts


def links(alert: str, objectives: Objectives, severity: str, slo: str = "") -> dict[str, str]:
    """runbook_url and dashboard_url, as far as the file names their places."""
    made = {}
    if objectives.runbooks:
        made["runbook_url"] = f"{objectives.runbooks}/{alert}.md"
    if objectives.dashboards:
        variables = f"var-service={objectives.service}" + (f"&var-slo={slo}" if slo else "")
        since = f"from=now-{_LOOK_BACK[severity]}&to=now"
        made["dashboard_url"] = f"{objectives.dashboards}/d/{DASHBOARD}?{variables}&{since}"
    return made


def _causes(subject: Subject) -> str:
    policy = subject.objectives.policy
    findings = tuple(sorted(word for word, verdict in policy.findings.items() if verdict is Verdict.BAD))
    outcomes = _cause(subject, names.STREAMS, names.OUTCOME, policy.bad_outcomes(), "outcome")
    found = _cause(subject, names.FINDINGS_TOTAL, names.FINDING, findings, "finding")
    return f"topk(1, sum by (cause, {promql.label(names.REQUEST_MODEL)}) ({outcomes} or {found}) > 0)"


def _cause(subject: Subject, metric: names.Metric, attribute: str, words: tuple[str, ...], prefix: str) -> str:
    label = promql.label(attribute)
    matchers = (promql.matcher(label, words), *subject.scope.selector, *subject.objective.filter.matchers())
    increase = f"increase({promql.selector(metric.prometheus, *matchers)}[{subject.scope.duration(HOUR)}])"
    return f'label_replace({increase}, "cause", "{prefix}-$1", "{label}", "(.+)")'
