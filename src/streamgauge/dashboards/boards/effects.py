"""Cancel and side effects: who ended streams, whether the end was real, and what the stop did not stop."""

from streamgauge import names
from streamgauge.dashboards import links, look, uids
from streamgauge.dashboards.board import Board, Options, Row
from streamgauge.dashboards.look import NONE_IS_WELL
from streamgauge.dashboards.panels import About, ask, heatmap, now, stat, time_series
from streamgauge.dashboards.queries import (
    RATE,
    beyond,
    buckets,
    increase,
    quantile,
    rate,
    series,
    share,
    where,
)
from streamgauge.dashboards.shapes import legend, stopped_beside
from streamgauge.dashboards.surfaces import side_effects
from streamgauge.dashboards.variables import MODEL, PROVIDER, SERVICE
from streamgauge.names import Outcome

STOPS_WITHIN = 2.0
"""Seconds to the upstream's close: the bound of the default objective `stop-stops`."""


def build(options: Options) -> Board:
    """The page that answers: when somebody stops a stream, does it stop?"""
    return Board(
        uid=uids.EFFECTS,
        place=4,
        title="streamgauge / 4 Cancel and side effects",
        about="Who ended streams, whether the upstream really stopped, and which side effects outlived their stream.",
        choices=(SERVICE, PROVIDER, MODEL),
        rows=(_now(options), _who(), _does_it_stop(options), side_effects.row(options), side_effects.approvals()),
    )


def upstream() -> str:
    """Cancelled streams per second, by whether their upstream was seen closed."""
    marked = (
        f'label_replace(rate({each}[{RATE}]), "upstream", "{word}", "", "")'
        for each, word in (
            (series(names.UPSTREAM_CLOSE, suffix="_count"), "seen closed"),
            (series(names.CANCELS_UNVERIFIED), "unverified"),
        )
    )
    return f"sum by (upstream) ({' or '.join(marked)})"


def _now(options: Options) -> Row:
    return Row(
        "Right now",
        (
            stat(
                "Unreconciled effects",
                About(
                    "Side effects that somebody still has to resolve: dispatched, outcome unknown.",
                    "list them with `streamgauge ledger`; decide by evidence, not by guess.",
                ),
                [now(f"sum({series(names.UNRECONCILED)})")],
                unit="short",
                steps=NONE_IS_WELL,
                size=(5, 5),
                links=[links.runbook("Runbook", options.runbooks, "UnreconciledSideEffects")],
            ),
            stat(
                "Age of the oldest unreconciled",
                About(
                    "How long the oldest has waited.",
                    "above a quarter of an hour the objective burns.",
                ),
                [now(f"max({series(names.UNRECONCILED_AGE)})")],
                unit="s",
                steps=look.above(side_effects.OVERDUE),
                size=(5, 5),
            ),
            stat(
                "Stops that did not stop",
                About(
                    "Cancelled streams of the time range whose upstream nobody saw closed.",
                    "tokens go on being paid for: close the response, do not only leave the loop.",
                ),
                [now(increase(names.CANCELS_UNVERIFIED))],
                unit="short",
                decimals=0,
                steps=NONE_IS_WELL,
                size=(5, 5),
                links=[links.runbook("Runbook", options.runbooks, "CancelNotEffective")],
            ),
            stat(
                "Stopped, and yet it happened",
                About(
                    "Streams of the time range that did not complete although an effect of theirs stands.",
                    "tell the user what was done; compensate what can be undone.",
                ),
                [now(increase(names.RECONCILIATIONS_TOTAL, where(names.RECONCILIATION_VERDICT, "partial_commit")))],
                unit="short",
                decimals=0,
                steps=NONE_IS_WELL,
                size=(5, 5),
            ),
            stat(
                "Text after the stop",
                About(
                    "Characters received after a cancel in the time range: made, paid for, and read by nobody.",
                    "a number far above one chunk per cancel means that the stop comes late.",
                ),
                [now(increase(names.CANCEL_CHARACTERS_TOTAL))],
                unit="short",
                decimals=0,
                size=(4, 5),
            ),
        ),
    )


def _who() -> Row:
    return Row(
        "Who ended streams",
        (
            time_series(
                "Cancels by initiator",
                About(
                    "Cancelled streams per second by who asked for the end; unknown when the application did not say.",
                    "deadline and budget are ours, disconnects are the network's or the reader's: name the "
                    "unknown ones in code.",
                ),
                [ask(rate(names.CANCELS_TOTAL, by=[names.INITIATOR]), legend(names.INITIATOR))],
                unit="cps",
                size=(12, 8),
                sparse=True,
                stack=True,
                overrides=look.colours(look.INITIATORS),
            ),
            time_series(
                "Cancels by phase",
                About(
                    "Cancelled streams per second by what the stream was doing: waiting, planning, acting in a tool, "
                    "responding.",
                    "stops while waiting or planning are impatience: show progress; stops while responding are about "
                    "the answer; stops while acting are about the tool.",
                ),
                [ask(rate(names.CANCELS_TOTAL, by=[names.CANCEL_PHASE]), legend(names.CANCEL_PHASE))],
                unit="cps",
                size=(12, 8),
                sparse=True,
                stack=True,
                overrides=look.colours(look.PHASES),
            ),
            stopped_beside("Stopped, left, asked again, kept", (12, 9)),
            time_series(
                "What became of stopped answers",
                About(
                    "Stopped answers per second by what the application told of them: asked again, part kept, part "
                    "thrown away.",
                    "tell it with `streamgauge.followed_up(stream, ...)`; mostly asked again: look at what was asked.",
                ),
                [ask(rate(names.FOLLOW_UPS, by=[names.FOLLOW_UP]), legend(names.FOLLOW_UP))],
                unit="cps",
                size=(12, 9),
                sparse=True,
                stack=True,
                overrides=look.colours(look.FOLLOW_UPS),
            ),
        ),
    )


def _does_it_stop(options: Options) -> Row:
    late = beyond(names.UPSTREAM_CLOSE, STOPS_WITHIN)
    lines = [ask(quantile(q, names.UPSTREAM_CLOSE), f"p{q * 100:g}", exemplar=q > 0.9) for q in (0.5, 0.95)]
    return Row(
        "Does a stop stop?",
        (
            time_series(
                "Cancel to upstream closed",
                About(
                    "Time from the cancel to the closed connection to the provider, where it was seen.",
                    "a stop that does not halt the upstream is theatre: the line must stay below the threshold.",
                ),
                lines,
                unit="s",
                sparse=True,
                size=(8, 8),
                steps=look.above(STOPS_WITHIN),
                overrides=look.colours(look.QUANTILES),
                links=[links.runbook("Runbook", options.runbooks, "CancelNotEffective")],
            ),
            heatmap(
                "Cancel to upstream closed: every cancel",
                About(
                    "The same as a cloud: two bands are two ways to stop.",
                    "find out which path takes the slow one.",
                ),
                ask(buckets(names.UPSTREAM_CLOSE)),
                unit="s",
                size=(8, 8),
                sparse=True,
            ),
            time_series(
                "Closed, late, unverified",
                About(
                    "Cancelled streams per second whose upstream was seen closed, and those where nobody saw "
                    "it; the line is the share of seen closes that took longer than 2 s.",
                    "unverified is not well: a detached background answer goes on and is paid for.",
                ),
                [ask(upstream(), "{{upstream}}"), ask(late, "share later than 2 s")],
                unit="cps",
                sparse=True,
                size=(8, 8),
                overrides=[
                    *look.colours({"seen closed": look.BLUE, "unverified": look.VERMILLION}),
                    look.named(
                        "share later than 2 s",
                        {"unit": "percentunit", "custom.axisPlacement": "right", "color": look.fixed(look.ORANGE)},
                    ),
                ],
            ),
            time_series(
                "Text after the cancel",
                About(
                    "Characters and chunks per second that arrived after a cancel.",
                    "a few per cancel are on the wire already; many mean that nobody closes the connection.",
                ),
                [
                    ask(rate(names.CANCEL_CHARACTERS_TOTAL), "characters"),
                    ask(rate(names.CANCEL_CHUNKS_TOTAL), "chunks"),
                ],
                unit="cps",
                size=(12, 8),
            ),
            time_series(
                "Text after each cancel, mean",
                About(
                    "Characters after the cancel divided by cancelled streams, by model.",
                    "compare models: large numbers come from providers that send in large pieces.",
                ),
                [
                    ask(
                        share(
                            rate(names.CANCEL_CHARACTERS_TOTAL, by=[names.REQUEST_MODEL]),
                            rate(names.STREAMS, where(names.OUTCOME, Outcome.CANCELLED), by=[names.REQUEST_MODEL]),
                        ),
                        legend(names.REQUEST_MODEL),
                    )
                ],
                unit="short",
                sparse=True,
                size=(12, 8),
            ),
        ),
    )
