"""The signature: what HTTP says beside what users got, and what the distance is made of."""

from streamgauge import names
from streamgauge.dashboards import links, look
from streamgauge.dashboards.board import Options, Row
from streamgauge.dashboards.look import named
from streamgauge.dashboards.panels import About, ask, bar_gauge, now, stat, time_series
from streamgauge.dashboards.queries import BAD, http_says, increase, rate, users_got, where
from streamgauge.dashboards.shapes import legend, truth_lines
from streamgauge.names import StatusClass


def row(options: Options) -> Row:
    """The row\'s panels."""
    broken = [where(names.STATUS_CLASS, StatusClass.OK), where(names.OUTCOME, *BAD)]
    return Row(
        "HTTP says / users got",
        (
            stat(
                "HTTP says / users got",
                About(
                    "The same streams read twice: the share that a status code calls a success, and the share"
                    " that ended as it should. Streams that the user stopped count for neither. Stalls and "
                    "loops are judged on the SLO pages.",
                    "the distance is what HTTP tooling cannot see; the panels beside it say what it is made of.",
                ),
                [ask(http_says(), "HTTP says"), ask(users_got(), "users got")],
                unit="percentunit",
                decimals=2,
                size=(6, 8),
                names_shown=True,
                overrides=[
                    named("HTTP says", {"color": look.fixed(look.LIGHT_GREY)}),
                    named("users got", {"color": look.fixed(look.BLUE)}),
                ],
            ),
            time_series(
                "HTTP says / users got, over time",
                About(
                    "Both readings as lines; the filled space between them is what users lost behind a status of 200.",
                    "a widening gap is an incident that no status code shows.",
                ),
                [ask(http_says(), "HTTP says"), ask(users_got(), "users got")],
                unit="percentunit",
                size=(10, 8),
                bounds=(None, 1),
                overrides=truth_lines(),
            ),
            time_series(
                "Broken after 200",
                About(
                    "Streams per second that were answered with 2xx and then broke, by ending.",
                    "click a series for its traces and its runbook.",
                ),
                [ask(rate(names.STREAMS, *broken, by=[names.OUTCOME]), legend(names.OUTCOME))],
                unit="cps",
                size=(8, 8),
                stack=True,
                overrides=look.colours(look.OUTCOMES),
                links=links.by_outcome(options.runbooks),
            ),
            time_series(
                "Outcome mix",
                About(
                    "How streams ended, as streams per second. Every stream has exactly one ending.",
                    "a new colour is the beginning of the story: click it for traces.",
                ),
                [ask(rate(names.STREAMS, by=[names.OUTCOME]), legend(names.OUTCOME))],
                unit="cps",
                size=(16, 8),
                stack=True,
                overrides=look.colours(look.OUTCOMES),
                links=links.by_outcome(options.runbooks),
            ),
            bar_gauge(
                "Endings in this time",
                About(
                    "Streams by ending over the whole time range.",
                    "compare with the same time last week.",
                ),
                [now(f"sort_desc({increase(names.STREAMS, by=[names.OUTCOME])} > 0)", legend(names.OUTCOME))],
                unit="short",
                overrides=look.colours(look.OUTCOMES),
                links=links.by_outcome(options.runbooks),
            ),
        ),
    )
