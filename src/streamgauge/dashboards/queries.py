"""What the dashboards ask Prometheus: from a metric of `names`, or a series that `slo` records, to PromQL.

Every selector carries the dashboard's variables for the labels that its metric has. Ratios divide by what is above 0
and quantiles drop NaN, so that a time without traffic is empty and never a false 0 or NaN.
"""

from collections.abc import Iterable
from decimal import Decimal

from streamgauge import names
from streamgauge.names import Metric, Outcome, StatusClass, Verdict
from streamgauge.slo import promql, rules
from streamgauge.slo.policy import DEFAULT as POLICY

RATE, RANGE = "$__rate_interval", "$__range"
SCOPES = ((names.PROVIDER_NAME, "provider"), (names.REQUEST_MODEL, "model"))
"""Labels that a variable of the dashboards selects."""

GOOD = tuple(sorted(outcome for outcome, verdict in POLICY.outcomes.items() if verdict is Verdict.GOOD))
BAD = tuple(sorted(outcome for outcome, verdict in POLICY.outcomes.items() if verdict is Verdict.BAD))
BAD_FINDINGS = tuple(sorted(finding for finding, verdict in POLICY.findings.items() if verdict is Verdict.BAD))
UNANSWERED = (Outcome.CRASHED, Outcome.FAILED, Outcome.TIMED_OUT)
"""Endings that tooling for status codes calls an error when there was no status at all."""

ANSWERED = (StatusClass.OK, StatusClass.REDIRECT, StatusClass.CLIENT_ERROR)
"""Classes that tooling for status codes calls a success of the server."""


def label(attribute: str) -> str:
    """The Prometheus label of an attribute."""
    return promql.label(attribute)


def where(attribute: str, *values: str) -> str:
    """A matcher for one of the values."""
    return promql.matcher(label(attribute), tuple(values))


def variable(name: str, chosen: str) -> str:
    """A matcher for what the reader chose."""
    return f'{name}=~"${chosen}"'


def series(metric: Metric, *matchers: str, suffix: str = "") -> str:
    """Selector of a metric, scoped to the reader's choice."""
    held = [variable(label(attribute), chosen) for attribute, chosen in SCOPES if attribute in metric.attributes]
    return promql.selector(metric.prometheus + suffix, variable("job", "service"), *held, *matchers)


def grouped(expr: str, by: Iterable[str] = ()) -> str:
    """A sum by attributes (or by the label `le`)."""
    kept = ", ".join(label(attribute) for attribute in by)
    return f"sum by ({kept}) ({expr})" if kept else f"sum({expr})"


def rate(metric: Metric, *matchers: str, by: Iterable[str] = (), suffix: str = "") -> str:
    """Events per second."""
    return grouped(f"rate({series(metric, *matchers, suffix=suffix)}[{RATE}])", by)


def increase(metric: Metric, *matchers: str, by: Iterable[str] = (), suffix: str = "", over: str = RANGE) -> str:
    """Events within a time."""
    return grouped(f"increase({series(metric, *matchers, suffix=suffix)}[{over}])", by)


def share(part: str, whole: str) -> str:
    """A ratio that is empty where nothing happened."""
    return f"{part} / ({whole} > 0)"


def quantile(q: float, metric: Metric, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """A quantile of a histogram, in its unit; empty where nothing happened."""
    return f"histogram_quantile({q:g}, {rate(metric, *matchers, by=(*by, 'le'), suffix='_bucket')}) >= 0"


def mean(metric: Metric, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """The mean of a histogram, in its unit."""
    total, count = (rate(metric, *matchers, by=by, suffix=suffix) for suffix in ("_sum", "_count"))
    return share(total, count)


def buckets(metric: Metric, *matchers: str) -> str:
    """A histogram for a heatmap: samples per bucket and step."""
    return increase(metric, *matchers, by=("le",), suffix="_bucket", over=RATE)


def beyond(metric: Metric, bound: float, *matchers: str, by: tuple[str, ...] = (), over: str = RATE) -> str:
    """Share of samples above a bucket's bound."""
    inside = promql.bound(Decimal(str(bound)))
    within = increase(metric, *matchers, inside, by=by, suffix="_bucket", over=over)
    return f"1 - {share(within, increase(metric, *matchers, by=by, suffix='_count', over=over))}"


def overflow(metric: Metric) -> str:
    """Share of samples beyond the last advised bound: there quantiles are guesses."""
    return beyond(metric, metric.buckets[-1], over=RANGE)


def http_says(by: tuple[str, ...] = ()) -> str:
    """Share of calls that tooling for status codes calls a success."""
    good = rate(names.STREAMS, where(names.STATUS_CLASS, *ANSWERED), by=by)
    unanswered = series(names.STREAMS, where(names.STATUS_CLASS, StatusClass.NONE), where(names.OUTCOME, *UNANSWERED))
    answered = series(names.STREAMS, f'{label(names.STATUS_CLASS)}!="{StatusClass.NONE}"')
    whole = grouped(f"rate({answered}[{RATE}]) or rate({unanswered}[{RATE}])", by)
    return share(good, whole)


def users_got(by: tuple[str, ...] = ()) -> str:
    """Share of streams that ended well among those that count; a Stop by the user counts for neither side."""
    good, counted = (rate(names.STREAMS, where(names.OUTCOME, *words), by=by) for words in (GOOD, (*BAD, *GOOD)))
    return share(good, counted)


def output_tokens(by: tuple[str, ...] = ()) -> str:
    """Output tokens per second, as far as providers report them; under both vocabularies of the conventions."""
    old = rate(names.TOKEN_USAGE, where(names.TOKEN_TYPE, "output"), by=by, suffix="_sum")
    return f"{old}\nor\n{rate(names.INFERENCE_OUTPUT_TOKENS, by=by)}"


def recorded(name: str, *matchers: str) -> str:
    """A series that the SLO rules record, scoped to the reader's choice of service."""
    return promql.selector(name, variable("service", "service"), *matchers)


def window(seconds: int) -> str:
    """The matcher of a recorded window."""
    return promql.equals({"window": rules.window_name(seconds)})


def of_period(name: str, *matchers: str) -> str:
    """A recorded windowed series at each objective's own period."""
    period = f'label_replace({recorded(rules.INFO, *matchers)}, "window", "$1", "period", "(.+)")'
    return f"sum by (service, slo) ({recorded(name, *matchers)} and on (service, slo, window) {period})"


def alerted(severity: str, *matchers: str) -> str:
    """The burn rates that an objective's alerts of a severity look at, in their long and short windows."""
    asked = recorded(rules.THRESHOLD, f'severity="{severity}"', *matchers)
    short = f'label_replace({asked}, "window", "$1", "short", "(.+)")'
    return f"{recorded(rules.BURN_RATE, *matchers)} and on (service, slo, window) ({asked} or {short})"


def nearest(severity: str) -> str:
    """The largest burn rate over what an alert of a severity waits for, per objective; 1 is where it is due."""
    waits = recorded(rules.THRESHOLD, f'severity="{severity}"')
    reached = f"{recorded(rules.BURN_RATE)} / on (service, slo, window) group_right () {waits}"
    quiet = f"sum by (service, slo) ({recorded(rules.INFO)}) * 0"
    return f"max by (service, slo) ({reached})\nor\n{quiet}"


def sli(bad: str, total: str) -> str:
    """Share of events that were not bad."""
    return f"1 - {share(bad, total)}"


def firing(*matchers: str, severity: str = "") -> str:
    """Alerts firing per objective; 0 for an objective without any."""
    wanted = (f'severity="{severity}"',) if severity else ()
    alerts = promql.selector("ALERTS", 'alertstate="firing"', variable("service", "service"), *wanted, *matchers)
    quiet = f"sum by (service, slo) ({recorded(rules.INFO, *matchers)}) * 0"
    return f'count by (service, slo) ({alerts[:-1]},slo!=""}})\nor\n{quiet}'
