"""The entry point by which `opentelemetry-instrument` finds us."""

from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # its py.typed hides it

from streamgauge.gauge import instrument, uninstrument


class StreamgaugeInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """`instrument()` and `uninstrument()` in the form that OpenTelemetry's auto-instrumentation expects."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: SDKs that are not installed are left alone."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        wanted = ("tracer_provider", "meter_provider", "logger_provider", "settings", "sinks", "on_finding")
        instrument(**{name: kwargs[name] for name in wanted if kwargs.get(name) is not None})

    def _uninstrument(self, **_kwargs: Any) -> None:
        uninstrument()
