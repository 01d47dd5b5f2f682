"""Where a panel leads: to another dashboard with time and choice kept, to the traces behind it, to its runbook.

Words and label names come in, Grafana data links go out.
"""

import json
from typing import Any
from urllib.parse import quote

from streamgauge import names
from streamgauge.dashboards.queries import label

KEPT = "${__url_time_range}&${prometheus_datasource:queryparam}&${tempo_datasource:queryparam}"


def of_series(attribute: str) -> str:
    """The value of a label of the series that was clicked."""
    return f"${{__field.labels.{label(attribute)}}}"


def of_row(column: str) -> str:
    """The value in a column of the table row that was clicked."""
    return f"${{__data.fields.{column}}}"


def dashboard(title: str, uid: str, **variables: str) -> dict[str, Any]:
    """To another dashboard; variables that are not given keep their values."""
    given = "".join(f"&var-{name}={value}" for name, value in variables.items())
    kept = "".join(f"&${{{name}:queryparam}}" for name in ("service",) if name not in variables)
    return {"title": title, "url": f"/d/{uid}?{KEPT}{kept}{given}", "targetBlank": False}


def traces(title: str, attribute: str, value: str) -> dict[str, Any]:
    """To the spans that have this attribute, in Explore, over the same time."""
    source = "${tempo_datasource}"
    text = f'{{ span.{attribute} = "{value}" }}'
    query = {"refId": "A", "queryType": "traceql", "datasource": {"type": "tempo", "uid": source}, "query": text}
    pane = {"datasource": source, "queries": [query], "range": {"from": "${__from}", "to": "${__to}"}}
    panes = quote(json.dumps({"a": pane}, separators=(",", ":")), safe="${}_.:,")
    return {"title": title, "url": f"/explore?schemaVersion=1&orgId=${{__org.id}}&panes={panes}", "targetBlank": False}


def runbook(title: str, base: str, name: str) -> dict[str, Any]:
    """To the runbook of an alert, an outcome or a finding."""
    return {"title": title, "url": f"{base}/{name}.md", "targetBlank": True}


def by_outcome(base: str) -> list[dict[str, Any]]:
    """What a reader of an outcome wants next: its traces and its runbook."""
    value = of_series(names.OUTCOME)
    return [
        traces("Traces with this outcome", names.OUTCOME, value),
        runbook("Runbook of this outcome", base, f"outcome-{value}"),
    ]


def by_finding(base: str) -> list[dict[str, Any]]:
    """The same for a finding."""
    value = of_series(names.FINDING)
    return [
        traces("Traces with this finding", names.FINDINGS, value),
        runbook("Runbook of this finding", base, f"finding-{value}"),
    ]
