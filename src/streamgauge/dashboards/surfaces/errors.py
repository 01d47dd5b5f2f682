"""Errors: how streams fail, and what the status code said."""

from streamgauge import names
from streamgauge.dashboards import links, look
from streamgauge.dashboards.board import Options, Row
from streamgauge.dashboards.look import named
from streamgauge.dashboards.panels import About, ask, now, table, time_series
from streamgauge.dashboards.queries import increase, label, rate, where
from streamgauge.dashboards.shapes import legend
from streamgauge.names import Outcome


def row(options: Options) -> Row:
    """The row\'s panels."""
    failed = where(names.OUTCOME, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.TRUNCATED)
    columns = {label(names.OUTCOME): "Outcome", label(names.STATUS_CLASS): "HTTP", "Value": "Streams"}
    counted = increase(names.STREAMS, by=[names.OUTCOME, names.STATUS_CLASS])
    return Row(
        "Errors: how streams fail, and what the status code said",
        (
            time_series(
                "Failures by mode",
                About(
                    "Streams per second that failed, timed out or were cut off, by failure mode (none: cut "
                    "off without a word).",
                    "network modes: our side or the way; provider modes: theirs; client errors: a bug of ours.",
                ),
                [ask(rate(names.STREAMS, failed, by=[names.FAILURE_MODE]), legend(names.FAILURE_MODE))],
                unit="cps",
                sparse=True,
                size=(8, 8),
                overrides=look.of_set(names.FAILURE_MODE),
                stack=True,
            ),
            time_series(
                "Findings",
                About(
                    "Streams per second with something wrong inside, whatever their ending.",
                    "click for traces and the runbook of a finding.",
                ),
                [ask(rate(names.FINDINGS_TOTAL, by=[names.FINDING]), legend(names.FINDING))],
                unit="cps",
                sparse=True,
                size=(8, 8),
                stack=True,
                overrides=look.colours(look.FINDINGS),
                links=links.by_finding(options.runbooks),
            ),
            table(
                "Outcome and status",
                About(
                    "Streams of the time range by ending and by the class of the HTTP status.",
                    "every bad ending beside 2xx is one that status codes call a success.",
                ),
                [now(f"{counted} > 0")],
                transformations=[look.renamed(columns, columns)],
                size=(8, 8),
                sort=("Streams", True),
                overrides=[
                    named(
                        "Streams", {"decimals": 0, "min": 0, "custom.cellOptions": {"type": "gauge", "mode": "basic"}}
                    )
                ],
            ),
        ),
    )
