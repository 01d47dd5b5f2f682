"""The one-liner for applications that have no OpenTelemetry set up."""

from typing import Any

from streamgauge.gauge import instrument
from streamgauge.gauge.wiring import Gauge
from streamgauge.settings import Settings
from streamgauge.signals.providers import set_up


def configure(
    *, otlp: bool | None = None, prometheus_port: int | None = None, settings: Settings | None = None, **given: Any
) -> Gauge:
    """Set up OpenTelemetry's global providers and observe every client.

    `otlp` sends spans, metrics and logs by OTLP as the standard OTEL_* variables say; left out, it is on when
    OTEL_EXPORTER_OTLP_ENDPOINT (or its per-signal form) is set, or when there is no `prometheus_port`.
    `prometheus_port` serves metrics at /metrics on that port (0: any free one). Needs the extra `otlp`, or
    `prometheus`. `given` goes to `instrument()`."""
    providers = set_up(otlp=otlp, prometheus_port=prometheus_port)
    return instrument(settings=settings, **{**providers, **given})
