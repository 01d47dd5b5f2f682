"""What a reader chooses at the top of a dashboard: data sources, service, provider, model, objective.

Options come in, Grafana variables go out. Names are the same everywhere, so that links carry the choice along.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

from grafanalib import core

from streamgauge import names
from streamgauge.dashboards import panels, queries
from streamgauge.slo import promql, rules

PROMETHEUS, TEMPO = "prometheus_datasource", "tempo_datasource"


@dataclass(frozen=True, slots=True)
class Choice:
    """One variable: `query` gives its values; a carried one is hidden and only there for the links."""

    name: str
    label: str
    query: str
    several: bool = True
    carried: bool = False

    def carry(self) -> Self:
        """The same choice, hidden."""
        return replace(self, carried=True)

    def build(self) -> core.Template:
        """As grafanalib writes it; `render` takes away what Grafana no longer reads."""
        return core.Template(
            name=self.name,
            label=self.label,
            query=self.query,
            dataSource=panels.PROMETHEUS,
            includeAll=self.several,
            multi=self.several,
            allValue=".+" if self.several else None,
            default="All" if self.several else None,
            refresh=core.REFRESH_ON_TIME_RANGE_CHANGE,
            hide=core.HIDE_VARIABLE if self.carried else core.SHOW,
            regex="",
        )


def _values(metric: str, wanted: str, *matchers: str) -> str:
    return f"label_values({promql.selector(metric, *matchers)}, {wanted})"


_STREAMS = names.STREAMS.prometheus
_SERVICE, _PROVIDER = (
    queries.variable("job", "service"),
    queries.variable(queries.label(names.PROVIDER_NAME), "provider"),
)

SERVICE = Choice("service", "Service", _values(_STREAMS, "job"))
PROVIDER = Choice("provider", "Provider", _values(_STREAMS, queries.label(names.PROVIDER_NAME), _SERVICE))
MODEL = Choice("model", "Model", _values(_STREAMS, queries.label(names.REQUEST_MODEL), _SERVICE, _PROVIDER))
MEASURED_SERVICE = Choice("service", "Service", _values(rules.INFO, "service"))
OBJECTIVE = Choice(
    "slo", "Objective", _values(rules.INFO, "slo", queries.variable("service", "service")), several=False
)


def datasource(name: str, kind: str, chosen: str | None = None) -> core.Template:
    """A choice among the data sources of one kind; `chosen` is the uid to start with."""
    return core.Template(
        name=name, label=f"{kind.title()} data source", query=kind, type="datasource", default=chosen, regex=""
    )


def build(choices: tuple[Choice, ...], chosen: str | None) -> list[Any]:
    """All variables of a dashboard: the data sources first, then its own choices."""
    sources = [datasource(PROMETHEUS, "prometheus", chosen), datasource(TEMPO, "tempo")]
    return [*sources, *(choice.build() for choice in choices)]
