"""The SLO file: YAML in, `Objectives` out; every mistake is named with file, line and column.

Reads text, builds frozen values, and judges reports. No OpenTelemetry, no Prometheus.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Self

from streamgauge import names
from streamgauge.errors import ConfigError
from streamgauge.names import Finding, Outcome, Verdict
from streamgauge.slo import windows
from streamgauge.slo.fields import Fields, parse
from streamgauge.slo.objective import Alerting, Filter, Objective
from streamgauge.slo.objectives import kind, kinds
from streamgauge.slo.policy import DEFAULT, Policy
from streamgauge.slo.windows import DAY, Pair

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_NAME_RULE = "lower-case letters, digits and dashes, starting with a letter, at most 63"
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_SIZES = re.compile(r"(\d+)-(\d*)")
_FORMS = ("verdicts", "histogram", "native")


@dataclass(frozen=True, slots=True)
class Objectives:
    """A whole SLO file: the objectives and what they share."""

    service: str
    objectives: tuple[Objective, ...]
    form: str = "verdicts"
    selector: tuple[tuple[str, str], ...] = ()
    pairs: tuple[Pair, ...] = windows.WORKBOOK
    runbooks: str = ""
    dashboards: str = ""
    policy: Policy = DEFAULT

    def __iter__(self) -> Iterator[Objective]:
        return iter(self.objectives)

    def __len__(self) -> int:
        return len(self.objectives)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the objectives for which streams are counted; a counter child at 0 belongs to each of them and each
        verdict."""
        return tuple(objective.name for objective in self.objectives if objective.counted)

    def verdicts(self, report: Any) -> dict[str, Verdict]:
        """The verdict of every objective that the stream belongs to; a report of a strange shape is excluded, never an
        error."""
        judged = ((objective.name, _safely(objective, report)) for objective in self.objectives)
        return {name: verdict for name, verdict in judged if verdict is not None}

    def bounds(self, metric_name: str) -> tuple[float, ...]:
        """All histogram bounds of a metric, sorted: its own and every threshold of the file; () for other metrics."""
        own = next((metric.buckets for metric in names.METRICS if metric.name == metric_name), ())
        wanted = {bound for objective in self.objectives for bound in objective.bounds().get(metric_name, ())}
        return tuple(sorted({*own, *wanted})) if own else ()

    def bounds_by_metric(self) -> dict[str, tuple[float, ...]]:
        """`bounds` of every metric into which a threshold is inserted."""
        wanted = {metric for objective in self.objectives for metric in objective.bounds()}
        return {metric: self.bounds(metric) for metric in sorted(wanted)}

    def only(self, *chosen: str) -> Self:
        """The same file with only these objectives."""
        return replace(self, objectives=tuple(objective for objective in self.objectives if objective.name in chosen))


def load(path: str | Path | None = None) -> Objectives:
    """The SLO file at `path`, or the default objectives; ConfigError with file:line:column when it is wrong."""
    if path is None:
        return loads(default_text(), "default.yaml")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("slo file", str(path), f"a readable YAML file ({error})") from error
    return loads(text, str(path))


def default_text() -> str:
    """The default SLO file, with the sources of its targets."""
    return resources.files("streamgauge.slo").joinpath("default.yaml").read_text(encoding="utf-8")


def loads(text: str, source: str = "<text>") -> Objectives:
    """The objectives in a YAML text; `source` is the name that errors give."""
    top = parse(text, source)
    top.choice("version", ("1",), "1")
    policy = _policy(top.mapping("policy"))
    alerting = top.mapping("alerts")
    shared = {
        "period": _period(top, 30 * DAY),
        "owner": top.text("owner", "unknown"),
        "policy": policy,
        "alerting": _alerting(alerting, Alerting()) if alerting else None,
    }
    objectives = Objectives(
        service=_named(top, "service"),
        objectives=tuple(_objective(fields, shared) for fields in top.mappings("objectives")),
        form=top.choice("sli", _FORMS, "verdicts"),
        selector=_selector(top.mapping("selector")),
        pairs=_pairs(top),
        runbooks=top.text("runbooks", "").rstrip("/"),
        dashboards=top.text("dashboards", "").rstrip("/"),
        policy=policy,
    )
    insert = top.flag("insert_bounds", True)
    top.close()
    _refuse_duplicates(objectives)
    if not insert:
        _refuse_missing_bounds(objectives)
    return objectives


def _objective(fields: Fields, shared: Mapping[str, Any]) -> Objective:
    name = _named(fields, "name")
    cls = kind(fields.choice("kind", kinds()))
    aborts = fields.choice("aborts", ("excluded", "counted"), cls.aborts_default)
    common: dict[str, Any] = {
        "name": name,
        "target": fields.decimal("target", "a percentage between 0 and 100, such as 99.5", "0", "100"),
        "period": _period(fields, shared["period"]),
        "owner": fields.text("owner", shared["owner"]),
        "description": fields.text("description", ""),
        "count_aborts": aborts == "counted",
        "filter": _filter(fields.mapping("filter")),
        "alerting": _alerts_of(fields, cls, shared["alerting"]),
        "policy": shared["policy"],
        "place": fields.place,
    }
    if common["target"] <= 1:
        raise fields.wrong("target", "a percentage above 1, such as 99.5 (not a ratio)")
    own = cls.read(fields)
    fields.close()
    return cls(**common, **own)


def _named(fields: Fields, name: str) -> str:
    text: str = fields.text(name)
    if not _NAME.fullmatch(text):
        raise fields.wrong(name, _NAME_RULE)
    return text


def _period(fields: Fields, default: int) -> int:
    seconds = int(fields.duration("period", Decimal(default)))
    if seconds < DAY or seconds % DAY:
        raise fields.wrong("period", "whole days, at least one, such as 30d")
    return seconds


def _filter(fields: Fields | None) -> Filter:
    if fields is None:
        return Filter()
    made = Filter(fields.words("provider"), fields.words("model"), fields.words("operation"), _sizes(fields))
    fields.close()
    return made


def _sizes(fields: Fields) -> tuple[int, int | None] | None:
    text = fields.text("prompt_tokens", None)
    if text is None:
        return None
    found = _SIZES.fullmatch(text)
    if not found or (found[2] and int(found[2]) <= int(found[1])):
        raise fields.wrong("prompt_tokens", "a half-open range of input tokens such as 0-2000 or 2000-")
    return int(found[1]), int(found[2]) if found[2] else None


def _alerts_of(fields: Fields, cls: type[Objective], shared: Alerting | None) -> Alerting:
    if fields.is_scalar("alerts"):
        fields.choice("alerts", ("none",))
        return Alerting(page=False, ticket=False)
    default = cls.alerting_default if cls.alerting_default != Alerting() or shared is None else shared
    own = fields.mapping("alerts")
    return _alerting(own, default) if own else default


def _alerting(fields: Fields, default: Alerting) -> Alerting:
    made = Alerting(
        page=fields.flag("page", default.page),
        ticket=fields.flag("ticket", default.ticket),
        min_events=fields.integer("min_events", "a number of streams", default.min_events),
        min_failures=fields.integer("min_failures", "a number of failures", default.min_failures),
        low_traffic_failures=fields.integer(
            "low_traffic_failures", "a number of failures, 0 for no alert", default.low_traffic_failures
        ),
    )
    fields.close()
    return made


def _policy(fields: Fields | None) -> Policy:
    default = DEFAULT
    if fields is None:
        return default
    made = Policy(
        outcomes={**default.outcomes, **_verdicts(fields.mapping("outcomes"), Outcome)},
        after_text={**default.after_text, **_verdicts(fields.mapping("after_text"), Outcome)},
        findings={**default.findings, **_verdicts(fields.mapping("findings"), Finding)},
    )
    fields.close()
    return made


def _verdicts(fields: Fields | None, words: Any) -> dict[str, Verdict]:
    if fields is None:
        return {}
    given = fields.names()
    for word in given:
        if word not in set(words):
            raise ConfigError("policy", word, "one of " + ", ".join(words), fields.place_of(word))
    return {word: Verdict(fields.choice(word, tuple(Verdict))) for word in given}


def _selector(fields: Fields | None) -> tuple[tuple[str, str], ...]:
    if fields is None:
        return ()
    for name in fields.names():
        if not _LABEL.fullmatch(name):
            raise ConfigError("selector", name, "a Prometheus label name", fields.place_of(name))
    return tuple((name, fields.text(name)) for name in fields.names())


def _pairs(top: Fields) -> tuple[Pair, ...]:
    if "windows" not in top.names():
        return windows.WORKBOOK
    return tuple(_pair(fields) for fields in top.mappings("windows"))


def _pair(fields: Fields) -> Pair:
    pair = Pair(
        severity=fields.choice("severity", tuple(windows.PENDING)),
        long=int(fields.duration("long")),
        short=int(fields.duration("short")),
        share=fields.decimal("share", "a share of the budget between 0 and 1, such as 0.02", "0", "1"),
    )
    if pair.short < windows.SHORTEST or pair.short >= pair.long:
        raise fields.wrong("short", "at least 5m and shorter than the long window")
    fields.close()
    return pair


def _refuse_duplicates(objectives: Objectives) -> None:
    seen: dict[str, str] = {}
    for objective in objectives:
        if objective.name in seen:
            raise ConfigError(
                "name", objective.name, f"a name of its own (first used at {seen[objective.name]})", objective.place
            )
        seen[objective.name] = objective.place


def _refuse_missing_bounds(objectives: Objectives) -> None:
    shipped = {metric.name: metric.buckets for metric in names.METRICS}
    for objective in objectives:
        for metric, wanted in objective.bounds().items():
            missing = [bound for bound in wanted if bound not in shipped[metric]]
            if missing:
                near = sorted(shipped[metric], key=lambda bound: abs(bound - missing[0]))[:2]
                nearest = ", ".join(f"{each:g}s" for each in sorted(near))
                allowed = f"a bound of {metric} (nearest: {nearest}), or insert_bounds: true"
                raise ConfigError("threshold", f"{missing[0]:g}s", allowed, objective.place)


def _safely(objective: Objective, report: Any) -> Verdict | None:
    try:
        return objective.verdict(report)
    except (AttributeError, TypeError, ValueError, ArithmeticError):
        return Verdict.EXCLUDED
