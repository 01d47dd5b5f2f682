"""Our panel types: what grafanalib 0.7.1 writes well is used, what it writes for older Grafanas is replaced here.

Questions (title, what it shows, what to do, queries) come in, grafanalib panels go out, with the options that Grafana
13 knows. Width and height are grid units (24 units are a full row); `layout` gives each its place.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import attr
from grafanalib import core

from streamgauge import names
from streamgauge.dashboards import look
from streamgauge.dashboards.look import Steps
from streamgauge.slo import rules

PROMETHEUS = {"type": "prometheus", "uid": "${prometheus_datasource}"}
EVERY = f"{names.SCOPE}_.+"
"""Pattern of all series of our own."""

FAMILIES = {metric.prometheus for metric in names.METRICS} | set(rules.RECORDED) | {"ALERTS"}
_SERIES = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_HISTOGRAM = re.compile(r"_(bucket|sum|count)$")
_LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
_TOOLTIP = {"mode": "multi", "sort": "desc"}

SPARSE = "10m"
"""Least step of panels that show rare events."""

Json = dict[str, Any]


@dataclass(slots=True)
class Query:
    """A Prometheus query, encoded by grafanalib; its own target has no exemplars and halves the resolution."""

    expr: str
    legend: str
    instant: bool = False
    exemplar: bool = False
    form: str = "time_series"
    ref: str = ""

    def to_json_data(self) -> Json:
        """As Grafana's Prometheus data source stores it."""
        return {
            "datasource": PROMETHEUS,
            "editorMode": "code",
            "exemplar": self.exemplar,
            "expr": self.expr,
            "format": self.form,
            "instant": self.instant,
            "legendFormat": self.legend,
            "range": not self.instant,
            "refId": self.ref,
        }


@dataclass(frozen=True, slots=True)
class About:
    """What a panel shows, and what its reader may do about it."""

    what: str
    do: str


@attr.s(auto_attribs=True)
class Modern(core.Panel):  # type: ignore[misc]  # grafanalib ships no types
    """A panel of a type that grafanalib writes in a form that Grafana has to migrate, or does not know."""

    kind: str = ""
    defaults: Json = attr.Factory(dict)
    overrides: list[Json] = attr.Factory(list)
    options: Json = attr.Factory(dict)

    def to_json_data(self) -> Json:
        """As Grafana 13 stores it."""
        fields = {"defaults": self.defaults, "overrides": self.overrides}
        return dict(self.panel_json({"type": self.kind, "fieldConfig": fields, "options": self.options}))


def ask(expr: str, legend: str = "__auto", *, exemplar: bool = False) -> Query:
    """A query over the time range."""
    return Query(expr, legend, exemplar=exemplar)


def now(expr: str, legend: str = "__auto") -> Query:
    """A query of the range's end."""
    return Query(expr, legend, instant=True)


def families(expr: str) -> tuple[str, ...]:
    """Metric families that an expression reads, sorted."""
    found = {_HISTOGRAM.sub("", word) if word not in FAMILIES else word for word in _SERIES.findall(expr)}
    return tuple(sorted((found & FAMILIES) | ({EVERY} if EVERY in expr else set())))


def time_series(
    title: str,
    about: About,
    queries: Sequence[Query],
    *,
    unit: str,
    size: tuple[int, int] = (12, 8),
    stack: bool = False,
    bars: bool = False,
    steps: Steps = (),
    bounds: tuple[float | None, float | None] = (0, None),
    overrides: Iterable[Json] = (),
    links: Iterable[Json] = (),
    log: bool = False,
    at_least: float | None = None,
    sparse: bool = False,
) -> core.TimeSeries:
    """Values over time; `steps` are drawn as lines, and the axis reaches `at_least` so far.

    Events that are `sparse` are counted over longer steps: a line of single events is only noise.
    """
    custom: Json = {"insertNulls": False, "axisBorderShow": False, "axisCenteredZero": False, "axisColorMode": "text"}
    if not log:
        custom["scaleDistribution"] = {"type": "linear"}
    defaults = {
        **_plain_defaults(unit, bounds, links),
        "color": {"mode": look.BY_SERIES},
        "thresholds": look.thresholds(steps or look.PLAIN),
        "custom": {**custom, "axisSoftMax": at_least},
    }
    return core.TimeSeries(
        **_frame(title, about, queries, size),
        interval=SPARSE if sparse else None,
        unit=unit,
        drawStyle="bars" if bars else "line",
        fillOpacity=70 if bars else (55 if stack else 0),
        lineWidth=0 if bars else (1 if stack else 2),
        showPoints="never",
        pointSize=4,
        stacking={"mode": "normal" if stack else "none", "group": "A"},
        scaleDistributionType="log" if log else "linear",
        scaleDistributionLog=10,
        thresholdsStyleMode="dashed" if steps else "off",
        overrides=[*look.told_apart(query.legend for query in queries), *overrides],
        extraJson={"fieldConfig": {"defaults": defaults}, "options": {"legend": _LEGEND, "tooltip": _TOOLTIP}},
    )


def stat(
    title: str,
    about: About,
    queries: Sequence[Query],
    *,
    unit: str,
    size: tuple[int, int] = (4, 4),
    steps: Steps = look.PLAIN,
    decimals: int | None = None,
    graph: bool = False,
    mappings: Sequence[Json] = (),
    overrides: Iterable[Json] = (),
    links: Iterable[Json] = (),
    names_shown: bool = False,
) -> core.Stat:
    """One number, or several with their names side by side."""
    defaults = {
        **_plain_defaults(unit, (None, None), links),
        "mappings": list(mappings) or look.no_traffic(),
        "color": {"mode": "thresholds"},
        "thresholds": look.thresholds(steps),
    }
    options = {"wideLayout": True, "showPercentChange": False, "percentChangeColorMode": "standard"}
    return core.Stat(
        **_frame(title, about, queries, size),
        format=unit,
        decimals=decimals,
        colorMode="value",
        graphMode="area" if graph else "none",
        reduceCalc="lastNotNull",
        textMode="value_and_name" if names_shown else "auto",
        orientation="vertical" if names_shown else "auto",
        overrides=list(overrides),
        extraJson={"fieldConfig": {"defaults": defaults}, "options": options},
    )


def bar_gauge(
    title: str,
    about: About,
    queries: Sequence[Query],
    *,
    unit: str,
    size: tuple[int, int] = (8, 8),
    steps: Steps = look.PLAIN,
    bounds: tuple[float | None, float | None] = (0, None),
    decimals: int | None = None,
    overrides: Iterable[Json] = (),
    links: Iterable[Json] = (),
) -> Modern:
    """One bar per series: its last value."""
    defaults = {
        **_plain_defaults(unit, bounds, links),
        "decimals": decimals,
        "mappings": look.no_traffic(),
        "color": {"mode": "thresholds"},
        "thresholds": look.thresholds(steps),
    }
    options = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "namePlacement": "left",
        "valueMode": "text",
        "showUnfilled": True,
        "sizing": "manual",
        "minVizWidth": 8,
        "minVizHeight": 16,
        "maxVizHeight": 34,
        "legend": {**_LEGEND, "showLegend": False},
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return _modern("bargauge", _frame(title, about, queries, size), defaults, options, overrides)


def table(
    title: str,
    about: About,
    queries: Sequence[Query],
    *,
    transformations: Sequence[Json],
    size: tuple[int, int] = (24, 9),
    unit: str = "short",
    sort: tuple[str, bool] = ("", False),
    overrides: Iterable[Json] = (),
    links: Iterable[Json] = (),
) -> Modern:
    """One row per label set; instant queries are merged into columns."""
    defaults = {
        **_plain_defaults(unit, (None, None), links),
        "mappings": look.no_traffic("-"),
        "color": {"mode": "thresholds"},
        "thresholds": look.thresholds(look.PLAIN),
        "custom": {
            "align": "auto",
            "cellOptions": {"type": "auto"},
            "minWidth": 90,
            "inspect": False,
            "filterable": False,
        },
    }
    column, descending = sort
    options: Json = {"showHeader": True, "cellHeight": "sm", "frameIndex": 0}
    options["sortBy"] = [{"displayName": column, "desc": descending}] if column else []
    for query in queries:
        query.form = "table"
    frame = {**_frame(title, about, queries, size), "transformations": list(transformations)}
    return _modern("table", frame, defaults, options, overrides)


def heatmap(
    title: str, about: About, query: Query, *, unit: str, size: tuple[int, int] = (12, 8), sparse: bool = False
) -> Modern:
    """A histogram over time, a row per bucket; over longer steps when its events are `sparse`."""
    query.form, query.legend = "heatmap", "{{le}}"
    scale = {"type": "linear"}
    hidden = {"hideFrom": {"legend": False, "tooltip": False, "viz": False}, "scaleDistribution": scale}
    options = {
        "calculate": False,
        "cellGap": 1,
        "cellValues": {"unit": "short", "decimals": 0},
        "color": {
            "mode": "scheme",
            "scheme": "Cividis",
            "fill": look.ORANGE,
            "scale": "exponential",
            "exponent": 0.5,
            "steps": 48,
            "reverse": False,
        },
        "exemplars": {"color": "rgba(255,255,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": True},
        "yAxis": {"axisPlacement": "left", "unit": unit, "reverse": False},
    }
    defaults = {**_plain_defaults(unit, (None, None), ()), "custom": hidden}
    frame = {**_frame(title, about, [query], size), "interval": SPARSE if sparse else None}
    return _modern("heatmap", frame, defaults, options)


def state_timeline(
    title: str,
    about: About,
    queries: Sequence[Query],
    *,
    meanings: Mapping[str, tuple[str, str]],
    size: tuple[int, int] = (12, 8),
    links: Iterable[Json] = (),
) -> Modern:
    """A band per series that changes its word and colour with the state."""
    defaults = {
        **_plain_defaults("none", (None, None), links),
        "mappings": look.words(meanings),
        "color": {"mode": "thresholds"},
        "thresholds": look.thresholds(look.PLAIN),
        "custom": {"fillOpacity": 75, "lineWidth": 0},
    }
    options = {
        "alignValue": "left",
        "mergeValues": True,
        "rowHeight": 0.85,
        "showValue": "auto",
        "legend": _LEGEND,
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return _modern("state-timeline", _frame(title, about, queries, size), defaults, options)


def _modern(kind: str, frame: Json, defaults: Json, options: Json, overrides: Iterable[Json] = ()) -> Modern:
    return Modern(**frame, kind=kind, defaults=defaults, options=options, overrides=list(overrides))


def _plain_defaults(unit: str, bounds: tuple[float | None, float | None], links: Iterable[Json]) -> Json:
    low, high = bounds
    return {"unit": unit, "min": low, "max": high, "noValue": look.NO_TRAFFIC, "links": list(links)}


def _frame(title: str, about: About, queries: Sequence[Query], size: tuple[int, int]) -> Json:
    for index, query in enumerate(queries):
        query.ref = chr(ord("A") + index)
    read = sorted({family for query in queries for family in families(query.expr)})
    shown = ", ".join(f"`{family}`" for family in read)
    width, height = size
    return {
        "title": title,
        "description": f"{about.what}\n\n**Reads** {shown}.\n\n**Do** {about.do}",
        "targets": list(queries),
        "dataSource": PROMETHEUS,
        "gridPos": core.GridPos(h=height, w=width, x=0, y=0),
        "maxDataPoints": None,
    }
