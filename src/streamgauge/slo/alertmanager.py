"""A sample Alertmanager configuration for the generated alerts: routes by severity, and what mutes what.

Scale comes in, YAML text goes out. Receivers are placeholders; routes and inhibition are the part to keep.
"""

from typing import Any

from streamgauge.slo import promql
from streamgauge.slo.alerts import EXHAUSTED, OBJECTIVE_ABSENT, TELEMETRY_ABSENT
from streamgauge.slo.render import document
from streamgauge.slo.windows import DAY, HOUR, MINUTE

SAME = ["service", "slo"]
_PLACES = {"page": "pager", "ticket": "tickets", "info": "chat"}


def text(base_url: str = "http://localhost:8080", scale: int = 1) -> str:
    """The configuration as YAML; every receiver posts to `base_url`/<receiver>, durations are divided by `scale`."""
    return document(configuration(base_url, scale))


def configuration(base_url: str, scale: int = 1) -> dict[str, Any]:
    """The configuration as plain values."""

    def lasting(seconds: int) -> str:
        return promql.duration(seconds, scale)

    repeats = {"page": 4 * HOUR, "ticket": DAY, "info": 7 * DAY}
    routes = [
        {
            "receiver": _PLACES[severity],
            "matchers": [f'severity="{severity}"'],
            "repeat_interval": lasting(repeats[severity]),
        }
        for severity in repeats
    ]
    return {
        "route": {
            "receiver": _PLACES["ticket"],
            "group_by": SAME,
            "group_wait": lasting(MINUTE // 2),
            "group_interval": lasting(5 * MINUTE),
            "routes": routes,
        },
        "inhibit_rules": [
            _mutes(['severity="page"', f'alertname!="{TELEMETRY_ABSENT}"'], ['severity="ticket"'], SAME),
            _mutes(['severity=~"page|ticket"'], ['severity="info"', f'alertname="{EXHAUSTED}"'], SAME),
            _mutes([f'alertname="{TELEMETRY_ABSENT}"'], [f'alertname="{OBJECTIVE_ABSENT}"'], ["service"]),
        ],
        "receivers": [_receiver(name, base_url) for name in _PLACES.values()],
    }


def _mutes(source: list[str], target: list[str], equal: list[str]) -> dict[str, Any]:
    return {"source_matchers": source, "target_matchers": target, "equal": equal}


def _receiver(name: str, base_url: str) -> dict[str, Any]:
    return {"name": name, "webhook_configs": [{"url": f"{base_url}/{name}", "send_resolved": True}]}
