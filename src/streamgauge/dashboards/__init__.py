"""Room 10: five linked Grafana dashboards, generated; one file per dashboard under `boards/`, found by its module name.

    queries.py                what is asked: PromQL over `names` and the series that `slo` records
    look.py -> panels.py      how it looks: colours, thresholds, mappings; panel types over grafanalib
    layout.py -> render.py    rows to a grid with stable ids; grafanalib's JSON made strict; files, drift, provisioning

Options come in, JSON and YAML texts go out. This room never talks to Grafana or Prometheus, and spells no metric.
"""

from streamgauge.dashboards.board import Board, Options
from streamgauge.dashboards.boards import collect
from streamgauge.dashboards.render import drift, files, write

__all__ = ["collect", "files", "write", "drift", "Board", "Options"]
