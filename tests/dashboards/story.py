"""Four days of a chat service as Prometheus would have them, with one bad morning: the dashboards are tried on it.

Verdicts cover all four days, everything else the last seven hours. For the last hour and a half one model of three
breaks streams in mid-answer behind a status of 200, stalls, and becomes slow; the others and the status codes
stay well. Rules are computed by the real promtool, alerts are those that the shipped expressions call for.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from streamgauge import names, slo
from streamgauge.names import FailureMode, Finding, FollowUp, Initiator, Kind, Metric, Outcome, Phase, StatusClass
from streamgauge.signals.metrics import PLAUSIBLE
from streamgauge.slo import promql, rules
from streamgauge.slo.alerts import alert_groups
from streamgauge.slo.file import Objectives
from streamgauge.slo.rehearsal import Rehearsal
from streamgauge.slo.replay import (
    MINUTES_A_DAY,
    Fault,
    Month,
    Rate,
    Scenario,
    Series,
    Spelling,
    counter,
    gauge,
    steady,
    write,
)
from streamgauge.slo.rules import Alert

MONTH = Month(start=1_762_500_600, days=4)
BORN = MONTH.minutes - 7 * 60
FAULT, LENGTH = MONTH.minutes - 100, 140
SICK = "claude-large"
MODELS: Mapping[str, tuple[str, float]] = {
    "gpt-large": ("openai", 70),
    "gpt-small": ("openai", 34),
    SICK: ("anthropic", 48),
}

Labels = Mapping[str, str]


def wave(minute: int, salt: int = 0) -> float:
    """Around 1: a day's tide and a little noise, the same on every run."""
    tide = 1 + 0.25 * math.sin(2 * math.pi * (minute + 180) / MINUTES_A_DAY)
    noise = math.sin(minute * 12.9898 + salt * 78.233) * 43758.5453
    return tide * (0.9 + 0.2 * (noise - math.floor(noise)))


def faulty(minute: int) -> float:
    """0 while all is well, up to 1 in the middle of the fault."""
    inside = (minute - FAULT) / LENGTH
    return math.sin(math.pi * inside) ** 0.5 if 0 < inside < 1 else 0.0


def traffic(model: str, minute: int) -> float:
    """Streams a minute."""
    return MODELS[model][1] * wave(minute, len(model))


SHARES: Mapping[tuple[Outcome, FailureMode | None, StatusClass], tuple[float, float]] = {
    (Outcome.LENGTH_LIMITED, None, StatusClass.OK): (0.02, 0.0),
    (Outcome.CONTENT_FILTERED, None, StatusClass.OK): (0.003, 0.0),
    (Outcome.TRUNCATED, None, StatusClass.OK): (0.0015, 0.25),
    (Outcome.TIMED_OUT, None, StatusClass.OK): (0.0005, 0.05),
    (Outcome.CANCELLED, None, StatusClass.OK): (0.03, 0.05),
    (Outcome.CANCELLED, None, StatusClass.NONE): (0.004, 0.0),
    (Outcome.ABANDONED, None, StatusClass.OK): (0.012, 0.03),
    (Outcome.DETACHED, None, StatusClass.OK): (0.003, 0.0),
    (Outcome.FAILED, FailureMode.NETWORK_PRE_STREAM, StatusClass.NONE): (0.0003, 0.0),
    (Outcome.FAILED, FailureMode.NETWORK_MID_STREAM, StatusClass.OK): (0.0006, 0.08),
    (Outcome.FAILED, FailureMode.RATE_LIMITED, StatusClass.CLIENT_ERROR): (0.001, 0.0),
    (Outcome.FAILED, FailureMode.PROVIDER_ERROR, StatusClass.SERVER_ERROR): (0.0004, 0.001),
    (Outcome.FAILED, FailureMode.STREAM_ERROR_EVENT, StatusClass.OK): (0.0008, 0.12),
}
"""Share of an ending, and what the fault adds to it; the rest is completed."""

FINDINGS: Mapping[Finding, tuple[float, float]] = {
    Finding.STALLED: (0.002, 0.09),
    Finding.LOOPED: (0.0008, 0.0),
    Finding.MALFORMED_TOOL_CALL: (0.001, 0.02),
    Finding.EMPTY: (0.0004, 0.0),
    Finding.MISSING_FINISH_REASON: (0.0006, 0.0),
    Finding.DUPLICATE_CHUNK: (0.0004, 0.0),
    Finding.UNRECOGNISED_CHUNK: (0.0003, 0.0),
}
STALLS: Mapping[Phase, tuple[float, float]] = {
    Phase.WAITING: (0.001, 0.02),
    Phase.PLANNING: (0.001, 0.0),
    Phase.ACTING: (0.0015, 0.0),
    Phase.RESPONDING: (0.002, 0.12),
}
WHO: Mapping[Initiator, float] = {
    Initiator.USER_STOP: 0.6,
    Initiator.CLIENT_DISCONNECT: 0.25,
    Initiator.DEADLINE: 0.1,
    Initiator.UNKNOWN: 0.05,
}
FOLLOWED: Mapping[FollowUp, float] = {
    FollowUp.REPROMPTED: 0.42,
    FollowUp.PARTIAL_KEPT: 0.25,
    FollowUp.DISCARDED: 0.1,
}
"""What becomes of stopped answers; of the rest the application says nothing."""

MEDIANS: tuple[tuple[Metric, Mapping[str, str], float, float], ...] = (
    (names.TTFT_SECONDS, {names.KIND: Kind.TEXT}, 0.62, 2.4),
    (names.TTFT_SECONDS, {names.KIND: Kind.ANY}, 0.4, 1.2),
    (names.TTFT_SECONDS, {names.KIND: Kind.REASONING}, 0.45, 1.2),
    (names.TTFT_SECONDS, {names.KIND: Kind.TOOL_CALL}, 0.9, 2.0),
    (names.TTLT_SECONDS, {}, 9.0, 14.0),
    (names.GAP_MAX_SECONDS, {}, 0.35, 3.0),
    (names.TIME_PER_CHUNK, {}, 0.032, 0.05),
    (names.OPERATION_DURATION, {}, 9.3, 14.0),
    (names.OPERATION_FIRST_CHUNK, {}, 0.4, 1.2),
    (names.TOKEN_USAGE, {names.TOKEN_TYPE: "output"}, 420, 0.0),
    (names.TOKEN_USAGE, {names.TOKEN_TYPE: "input"}, 1800, 0.0),
)
"""Histograms of every model: labels, median in the unit, and what the fault adds to the median."""

EFFECTS: Mapping[str, float] = {
    "intended": 1.0,
    "started": 0.97,
    "committed": 0.95,
    "failed_no_effect": 0.015,
    "unknown": 0.008,
    "reconciled_committed": 0.005,
    "compensated": 0.004,
}
RECONCILED: Mapping[str, float] = {
    "consistent": 0.88,
    "clean": 0.08,
    "partial_commit": 0.02,
    "effect_failed": 0.008,
    "compensated": 0.006,
    "unknown": 0.004,
}


def series(spelling: Spelling, objectives: Objectives) -> Iterator[Series]:
    """Everything that a scrape of the service would have given."""
    yield from _verdicts(spelling, objectives)
    for model in MODELS:
        for each in _of_model(model, spelling, objectives):
            yield dataclasses.replace(each, born=BORN)
    for each in (*_effects(spelling), *_observer(spelling)):
        yield dataclasses.replace(each, born=BORN)
    yield gauge(names.UNRECONCILED_AGE, {}, _oldest_unreconciled, spelling)


def _scaled(rate: Rate, factor: float) -> Rate:
    return lambda minute: rate(minute) * factor


def _share(model: str, shares: tuple[float, float]) -> Rate:
    usual, added = shares
    return lambda minute: traffic(model, minute) * (usual + added * faulty(minute) * (model == SICK))


def _of_model(model: str, spelling: Spelling, objectives: Objectives) -> Iterator[Series]:
    stream = {names.PROVIDER_NAME: MODELS[model][0], names.REQUEST_MODEL: model, names.OPERATION_NAME: "chat"}
    for outcome, mode, status in PLAUSIBLE:
        ended = {names.OUTCOME: outcome, names.FAILURE_MODE: mode or "none", names.STATUS_CLASS: status}
        yield counter(names.STREAMS, {**stream, **ended}, _ending(model, (outcome, mode, status)), spelling)
    for finding, shares in FINDINGS.items():
        yield counter(names.FINDINGS_TOTAL, {**stream, names.FINDING: finding}, _share(model, shares), spelling)
    for phase, shares in STALLS.items():
        yield counter(names.STALLS_TOTAL, {**stream, names.PHASE: phase}, _share(model, shares), spelling)
    for metric, own, median, added in MEDIANS:
        yield from _histogram(
            metric, {**stream, **own}, partial(traffic, model), model, (median, added), spelling, objectives
        )
    yield from _cancels(model, stream, spelling, objectives)
    for metric, labels, each in (
        (names.CHUNKS_TOTAL, {}, 240.0),
        (names.CHARACTERS_TOTAL, {names.KIND: Kind.TEXT}, 1650.0),
        (names.CHARACTERS_TOTAL, {names.KIND: Kind.REASONING}, 900.0),
    ):
        yield counter(metric, {**stream, **labels}, _scaled(partial(traffic, model), each), spelling)


def _ending(model: str, key: tuple[Outcome, FailureMode | None, StatusClass]) -> Rate:
    if key[0] is Outcome.COMPLETED:
        rest = [_share(model, shares) for shares in SHARES.values()]
        return lambda minute: traffic(model, minute) - sum(rate(minute) for rate in rest)
    return _share(model, SHARES.get(key, (0.0, 0.0)))


def _cancels(model: str, stream: Labels, spelling: Spelling, objectives: Objectives) -> Iterator[Series]:
    for initiator, part in WHO.items():
        who = {**stream, names.INITIATOR: initiator}
        rate = _scaled(_share(model, (0.034, 0.05)), part)
        yield from _histogram(names.UPSTREAM_CLOSE, who, _scaled(rate, 0.97), model, (0.12, 0.6), spelling, objectives)
        yield counter(names.CANCELS_UNVERIFIED, who, _scaled(rate, 0.03), spelling)
        for phase, share in (
            (Phase.WAITING, 0.2),
            (Phase.PLANNING, 0.1),
            (Phase.ACTING, 0.05),
            (Phase.RESPONDING, 0.65),
        ):
            yield counter(names.CANCELS_TOTAL, {**who, names.CANCEL_PHASE: phase}, _scaled(rate, share), spelling)
    for what, part in FOLLOWED.items():
        told = {**stream, names.FOLLOW_UP: what}
        yield counter(names.FOLLOW_UPS, told, _share(model, (0.034 * part, 0.05 * part)), spelling)
    yield counter(names.CANCEL_CHUNKS_TOTAL, stream, _share(model, (0.07, 0.2)), spelling)
    yield counter(names.CANCEL_CHARACTERS_TOTAL, stream, _share(model, (0.9, 3.0)), spelling)


def _histogram(
    metric: Metric,
    attributes: Labels,
    rate: Rate,
    model: str,
    medians: tuple[float, float],
    spelling: Spelling,
    objectives: Objectives,
) -> Iterator[Series]:
    """Values around a median that moves with the fault."""
    labels = {**spelling.labels, **{promql.label(name): str(value) for name, value in attributes.items()}}
    usual, added = medians

    def middle(minute: int) -> float:
        return (usual + added * faulty(minute) * (model == SICK)) * (0.8 if model == "gpt-small" else 1.0)

    def below(bound: float, minute: int) -> float:
        return rate(minute) * (1.0 if math.isinf(bound) else 1 / (1 + (middle(minute) / bound) ** 2.6))

    family = metric.prometheus
    for bound in (*(objectives.bounds(metric.name) or metric.buckets), math.inf):
        yield Series(family, "histogram", "_bucket", {**labels, "le": spelling.bound(bound)}, partial(below, bound))
    yield Series(family, "histogram", "_count", labels, rate)
    yield Series(family, "histogram", "_sum", labels, lambda minute: rate(minute) * middle(minute) * 1.3)


def _effects(spelling: Spelling) -> Iterator[Series]:
    objectives = slo.load()
    for kind, share in (("external_message", 0.5), ("payment", 0.2)):
        tools = _scaled(partial(traffic, "gpt-large"), share * 0.2)
        for state, part in EFFECTS.items():
            labels = {names.EFFECT_CLASS: kind, names.EFFECT_STATE: state}
            yield counter(names.EFFECTS_TOTAL, labels, _scaled(tools, part), spelling)
        yield from _histogram(
            names.APPROVAL_LATENCY,
            {names.EFFECT_CLASS: kind},
            _scaled(tools, 0.1),
            "",
            (40.0 + 80 * share, 0.0),
            spelling,
            objectives,
        )
    in_the_dark = {names.EFFECT_CLASS: "destructive", names.EFFECT_STATE: "undeclared"}
    yield counter(names.EFFECTS_TOTAL, in_the_dark, lambda minute: 0.03 * wave(minute), spelling)
    for verdict, part in RECONCILED.items():
        labels = {names.RECONCILIATION_VERDICT: verdict}
        yield counter(names.RECONCILIATIONS_TOTAL, labels, _scaled(lambda minute: 9 * wave(minute), part), spelling)
    yield gauge(names.UNRECONCILED, {}, lambda minute: float(1 + 4 * faulty(minute) // 1), spelling)


def _oldest_unreconciled(minute: int) -> float:
    return float(60 * (minute % 9) + 380 * faulty(minute))


def _observer(spelling: Spelling) -> Iterator[Series]:
    for phase, count in ((Phase.WAITING, 2.0), (Phase.PLANNING, 4.0), (Phase.ACTING, 1.0), (Phase.RESPONDING, 17.0)):
        yield gauge(names.STREAMS_ACTIVE, {names.PHASE: phase}, partial(_open, count), spelling)
    yield gauge(
        names.OLDEST_AGE, {}, lambda minute: round(30 + 15 * wave(minute, 3) + 190 * faulty(minute), 1), spelling
    )
    for hook in ("request", "feed", "seal"):
        yield counter(names.INTERNAL_ERRORS, {names.HOOK: hook}, steady(0), spelling)
    for reason, rate in (("model_limit", 0.02), ("raw_body", 0.0)):
        yield counter(names.INTERNAL_DROPS, {names.DROP_REASON: reason}, steady(rate), spelling)


def _open(usual: float, minute: int) -> float:
    return float(round(usual * wave(minute, 1) * (1 + 0.8 * faulty(minute))))


BACKGROUND: Mapping[str, float] = {
    "stream-availability": 0.0045,
    "first-text": 0.022,
    "answer-time": 0.012,
    "no-long-gaps": 0.02,
    "fluid-reading": 0.03,
    "goodput": 0.06,
    "tool-calls-whole": 0.003,
    "stop-stops": 0.02,
    "http-status": 0.0004,
}
"""Usual share of bad streams per default objective."""

IN_THE_FAULT: Mapping[str, float] = {
    "stream-availability": 0.165,
    "goodput": 0.25,
    "http-status": 0.0008,
    "answer-time": 0.02,
    "tool-calls-whole": 0.012,
    "stop-stops": 0.05,
}


def _verdicts(spelling: Spelling, objectives: Objectives) -> Iterator[Series]:
    for objective in objectives:
        if objective.counted:
            share = IN_THE_FAULT.get(objective.name, 0.09)
            scenario = Scenario(
                objective.name,
                traffic=lambda minute: 150 * wave(minute),
                background=BACKGROUND.get(objective.name, 0.01),
                faults=(Fault(FAULT, LENGTH, share), Fault(MINUTES_A_DAY, 40, share / 2)),
                excluded=lambda minute: 6 * wave(minute, 5),
            )
            yield from scenario.series(spelling)


def alerts_fired(server: Rehearsal, objectives: Objectives) -> Iterator[Series]:
    """The series ALERTS, as Prometheus writes it while an alert fires."""
    for group in alert_groups(objectives):
        for rule in group.rules:
            if isinstance(rule, Alert):
                for firing in server.firings(rule, MONTH.start, MONTH.end):
                    labels = {**firing.labels, "alertname": rule.alert, "alertstate": "firing"}
                    began, ended = ((moment - MONTH.start) // 60 for moment in (firing.start, firing.end))
                    yield Series("ALERTS", "gauge", "", labels, lambda _: 1.0, counts=False, born=began, gone=ended + 1)


def tell(server: Rehearsal, spelling: Spelling, directory: Path) -> None:
    """Fill a server that does not run yet: telemetry, then recorded series, then alerts."""
    objectives = slo.load()
    _load(server, series(spelling, objectives), directory / "story.om")
    coarse = {"6h": 240, "3d": 240, "30d": 240, "budget": 240, "burn": 240}
    server.backfill(rules.recording_groups(objectives), MONTH.start, MONTH.end, coarse)
    with server:
        fired = list(alerts_fired(server, objectives))
    _load(server, fired, directory / "alerts.om")


def _load(server: Rehearsal, made: Iterable[Series], path: Path) -> None:
    write(made, MONTH, path)
    server.load(path)
    path.unlink()
