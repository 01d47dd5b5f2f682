"""Burn-rate windows as data: which pairs of windows page or ticket, and at which share of failures.

A budget share, a period and a long window give the factor (`share * period / long`); factor times budget is the
failure ratio above which a clause holds. Decimal throughout, so that a threshold reads as a person would write it.
"""

from dataclasses import dataclass
from decimal import Decimal

MINUTE, HOUR, DAY = 60, 3_600, 86_400


@dataclass(frozen=True, slots=True)
class Pair:
    """One row of the table: budget `share` spent within `long` calls for `severity`; `short` (both in seconds) ends it
    soon."""

    severity: str
    long: int
    short: int
    share: Decimal


WORKBOOK: tuple[Pair, ...] = (  # Google, The Site Reliability Workbook, chapter 5, table 5-8, for a period of 30 days
    Pair("page", HOUR, 5 * MINUTE, Decimal("0.02")),
    Pair("page", 6 * HOUR, 30 * MINUTE, Decimal("0.05")),
    Pair("ticket", 3 * DAY, 6 * HOUR, Decimal("0.10")),
)
OUTAGE_LONG, OUTAGE_SHORT = 30 * MINUTE, 5 * MINUTE
PENDING = {"page": 2 * MINUTE, "ticket": 15 * MINUTE}
SHORTEST = 5 * MINUTE
UNSCALED_FROM = 28 * DAY


@dataclass(frozen=True, slots=True)
class Clause:
    """A pair applied to one objective: holds while the failure ratio over both windows is above `threshold`."""

    severity: str
    long: int
    short: int
    factor: Decimal
    threshold: Decimal
    outage: bool = False

    def seconds_to_fire(self, failing: Decimal) -> Decimal | None:
        """Seconds from the start of steady failures at ratio `failing` until the clause holds; None when it never
        does."""
        return self.long * self.threshold / failing if failing > self.threshold else None


def clauses(period: int, budget: Decimal, pairs: tuple[Pair, ...] = WORKBOOK) -> tuple[Clause, ...]:
    """The clauses of an objective with this period (seconds) and error budget (ratio).

    A clause whose threshold lies at or above 1 can never hold and is left out. When the fastest page asks for more
    than half of the streams to fail, an outage clause stands in for it, at the middle between the budget and a total
    outage.
    """
    made = [_clause(pair, period, budget) for pair in pairs]
    reachable = [clause for clause in made if clause.threshold < 1]
    if _is_slow(made):
        threshold = (1 + budget) / 2
        reachable.insert(0, Clause("page", OUTAGE_LONG, OUTAGE_SHORT, threshold / budget, threshold, outage=True))
    return tuple(reachable)


def unreachable(period: int, budget: Decimal, pairs: tuple[Pair, ...] = WORKBOOK) -> tuple[Clause, ...]:
    """The clauses that even a total outage cannot fulfil."""
    return tuple(clause for pair in pairs if (clause := _clause(pair, period, budget)).threshold >= 1)


def _is_slow(made: list[Clause]) -> bool:
    return all(
        clause.threshold > Decimal("0.5") for clause in made if clause.severity == "page" and clause.long <= HOUR
    )


def _clause(pair: Pair, period: int, budget: Decimal) -> Clause:
    long, short = _fitted(pair, period)
    factor = pair.share * period / long
    return Clause(pair.severity, long, short, factor.normalize(), (factor * budget).normalize())


def _fitted(pair: Pair, period: int) -> tuple[int, int]:
    """Windows of the table shrink with a short period (a week keeps 14.4x), in whole minutes; longer periods keep
    them."""
    if period >= UNSCALED_FROM:
        return pair.long, pair.short
    return _shrunk(pair.long, period), _shrunk(pair.short, period)


def _shrunk(window: int, period: int) -> int:
    return max(SHORTEST, window * period // (30 * DAY) // MINUTE * MINUTE)
