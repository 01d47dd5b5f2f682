"""Room 9: objectives as data, verdicts at the source, and the Prometheus rules that watch them.

    file.py -> objectives/<kind>.py     YAML to objectives; a report to good, bad or excluded (policy.py is the table)
    windows.py -> rules.py, alerts.py   burn-rate table to recording rules and alerts; render.py writes them
    promtool.py, replay.py              unit tests and a synthetic month, to prove with real binaries that they fire
    explain.py, backtest.py, openslo.py what the numbers mean, what would have happened, and the way in and out

The library needs the first line only. This room reads names and reports; it never imports the runtime or OpenTelemetry.
"""

from streamgauge.slo.file import Objectives, default_text, load, loads
from streamgauge.slo.objective import Objective

__all__ = ["load", "loads", "default_text", "Objectives", "Objective"]
