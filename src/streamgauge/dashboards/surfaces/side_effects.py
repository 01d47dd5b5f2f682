"""Side effects: what came of them, how they fit to their streams, and how long people take to allow them."""

from streamgauge import names
from streamgauge.dashboards import links, look
from streamgauge.dashboards.board import Options, Row
from streamgauge.dashboards.look import NONE_IS_WELL
from streamgauge.dashboards.panels import About, ask, bar_gauge, now, time_series
from streamgauge.dashboards.queries import increase, quantile, rate, series, where
from streamgauge.dashboards.shapes import legend

OVERDUE = 900.0
"""Seconds that an effect may wait for reconciliation: the bound of the default objective `effects-reconciled`."""

VERDICTS = {
    "consistent": look.BLUE,
    "clean": look.SKY,
    "compensated": look.TEAL,
    "partial_commit": look.VERMILLION,
    "effect_failed": look.ORANGE,
    "unknown": look.YELLOW,
}
UNSETTLED = ("unknown", "abandoned", "compensation_failed", "undeclared")


def row(options: Options) -> Row:
    """Effects, reconciliations, and what is still owed."""
    return Row(
        "Side effects",
        (
            time_series(
                "Effects by state",
                About(
                    "Effects per second by the state that they came to; an effect passes several.",
                    "started without committed: tools hang; unknown: reconcile; undeclared: a tool runs "
                    "outside the ledger.",
                ),
                [ask(rate(names.EFFECTS_TOTAL, by=[names.EFFECT_STATE]), legend(names.EFFECT_STATE))],
                unit="cps",
                sparse=True,
                size=(7, 8),
                overrides=look.of_set(names.EFFECT_STATE),
                stack=True,
            ),
            time_series(
                "Reconciliations by verdict",
                About(
                    "Records per second that join a stream with its effects: consistent and clean agree; "
                    "partial commit means that the stream says stopped and the world says done.",
                    "click for traces of a verdict; partial commits need a word to the user.",
                ),
                [
                    ask(
                        rate(names.RECONCILIATIONS_TOTAL, by=[names.RECONCILIATION_VERDICT]),
                        legend(names.RECONCILIATION_VERDICT),
                    )
                ],
                unit="cps",
                sparse=True,
                size=(7, 8),
                stack=True,
                overrides=look.colours(VERDICTS),
                links=[
                    links.traces(
                        "Traces with this verdict",
                        names.RECONCILIATION_VERDICT,
                        links.of_series(names.RECONCILIATION_VERDICT),
                    )
                ],
            ),
            bar_gauge(
                "Effects that need a person",
                About(
                    "Effects of the time range that came to unknown, abandoned, compensation failed or "
                    "undeclared, by class.",
                    "payments and messages first.",
                ),
                [
                    now(
                        increase(
                            names.EFFECTS_TOTAL,
                            where(names.EFFECT_STATE, *UNSETTLED),
                            by=[names.EFFECT_CLASS, names.EFFECT_STATE],
                        ),
                        f"{legend(names.EFFECT_CLASS)}: {legend(names.EFFECT_STATE)}",
                    )
                ],
                unit="short",
                decimals=0,
                size=(10, 8),
                steps=NONE_IS_WELL,
            ),
            time_series(
                "Unreconciled effects over time",
                About(
                    "Effects whose outcome nobody knows yet.",
                    "a staircase that never falls: the reconciler does not run.",
                ),
                [ask(f"sum({series(names.UNRECONCILED)})", "unreconciled")],
                unit="short",
                links=[links.runbook("Runbook", options.runbooks, "UnreconciledSideEffects")],
            ),
            time_series(
                "Age of the oldest unreconciled effect",
                About(
                    "Seconds; above the line the objective burns.",
                    "a ramp is one effect that waits for a person: resolve it in the ledger.",
                ),
                [ask(f"max({series(names.UNRECONCILED_AGE)})", "oldest")],
                unit="s",
                steps=look.above(OVERDUE),
                links=[links.runbook("Runbook", options.runbooks, "UnreconciledSideEffects")],
            ),
        ),
    )


def approvals() -> Row:
    """How long people take, and how often they are asked."""
    answered = increase(names.APPROVAL_LATENCY, by=[names.EFFECT_CLASS], suffix="_count")
    return Row(
        "Approvals",
        (
            time_series(
                "Time to an answer",
                About(
                    "Time from asking for an approval to the answer or its expiry, by class of effect.",
                    "minutes mean that people are asked in the wrong place; seconds that they do not read.",
                ),
                [ask(quantile(0.5, names.APPROVAL_LATENCY, by=(names.EFFECT_CLASS,)), legend(names.EFFECT_CLASS))],
                unit="s",
                sparse=True,
            ),
            bar_gauge(
                "Approvals asked for",
                About(
                    "Approvals of the time range by class of effect.",
                    "many for one class: consider a policy for it.",
                ),
                [now(answered, legend(names.EFFECT_CLASS))],
                unit="short",
                decimals=0,
                size=(12, 8),
            ),
        ),
    )
