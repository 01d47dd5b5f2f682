"""Tools: calls within the stream, and effects outside of it."""

from streamgauge import names
from streamgauge.dashboards import links, look, uids
from streamgauge.dashboards.board import Options, Row
from streamgauge.dashboards.panels import About, ask, time_series
from streamgauge.dashboards.queries import rate, where
from streamgauge.dashboards.shapes import legend, quantiles
from streamgauge.names import Finding, Kind


def row(options: Options) -> Row:
    """The row\'s panels."""
    tool = where(names.KIND, Kind.TOOL_CALL)
    return Row(
        "Tools: calls within the stream, effects outside of it",
        (
            time_series(
                "First tool call",
                About(
                    "Time from the call to the first piece of a tool call.",
                    "readers see nothing meanwhile: announce the tool before it runs.",
                ),
                quantiles(names.TTFT_SECONDS, tool),
                unit="s",
                size=(8, 8),
                overrides=look.colours(look.QUANTILES),
            ),
            time_series(
                "Malformed tool calls",
                About(
                    "Streams per second whose tool arguments were cut off or are no JSON.",
                    "never run such a call; look whether one model or one tool stands out.",
                ),
                [
                    ask(
                        rate(
                            names.FINDINGS_TOTAL,
                            where(names.FINDING, Finding.MALFORMED_TOOL_CALL),
                            by=[names.REQUEST_MODEL],
                        )
                    )
                ],
                unit="cps",
                sparse=True,
                size=(8, 8),
                links=links.by_finding(options.runbooks),
            ),
            time_series(
                "Effects by state",
                About(
                    "Side effects per second by the state that they came to.",
                    "unknown and abandoned need a person: open Cancel and side effects.",
                ),
                [ask(rate(names.EFFECTS_TOTAL, by=[names.EFFECT_STATE]), legend(names.EFFECT_STATE))],
                unit="cps",
                sparse=True,
                size=(8, 8),
                overrides=look.of_set(names.EFFECT_STATE),
                links=[links.dashboard("Cancel and side effects", uids.EFFECTS)],
            ),
        ),
    )
