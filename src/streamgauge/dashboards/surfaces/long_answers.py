"""Long answers: whether readers stay to the end, stop, or leave."""

from streamgauge import names
from streamgauge.dashboards import links, uids
from streamgauge.dashboards.board import Options, Row
from streamgauge.dashboards.panels import About, ask, time_series
from streamgauge.dashboards.queries import beyond, rate, where
from streamgauge.dashboards.shapes import LONG_ANSWER, legend, stopped_beside
from streamgauge.names import Outcome


def row(options: Options) -> Row:
    """The row\'s panels."""
    return Row(
        "Long answers: do readers stay to the end?",
        (
            time_series(
                "Answers longer than a minute",
                About(
                    "Share of streams whose last content came after more than a minute.",
                    "long answers need structure, a progress sign and a Stop that works.",
                ),
                [ask(beyond(names.TTLT_SECONDS, LONG_ANSWER), "longer than 60 s")],
                unit="percentunit",
                sparse=True,
                size=(8, 8),
                bounds=(0, None),
            ),
            stopped_beside(
                "Stopped, left, asked again, kept", (8, 8), links.dashboard("Cancel and side effects", uids.EFFECTS)
            ),
            time_series(
                "Cut off by the length limit",
                About(
                    "Streams per second that ended at the token limit, by model: good for the objective, "
                    "often not for the reader.",
                    "raise the limit, or offer to continue.",
                ),
                [
                    ask(
                        rate(names.STREAMS, where(names.OUTCOME, Outcome.LENGTH_LIMITED), by=[names.REQUEST_MODEL]),
                        legend(names.REQUEST_MODEL),
                    )
                ],
                unit="cps",
                sparse=True,
                size=(8, 8),
                links=[links.runbook("Runbook", options.runbooks, f"outcome-{Outcome.LENGTH_LIMITED}")],
            ),
        ),
    )
