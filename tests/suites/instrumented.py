"""A pytest plugin for another project's suite: everything runs under `instrument()`, with providers of its own.

Loaded by `-p instrumented` inside the environment of the suite; what was observed goes to STREAMGAUGE_SUITE_FACTS. With
STREAMGAUGE_SUITE_OWN_SPANS the Anthropic SDK keeps the spans that we otherwise replace: its suite has tests about them.
"""

import dataclasses
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

import streamgauge
from streamgauge.providers import anthropic

reports: list[str] = []
gauges: list[streamgauge.Gauge] = []


def pytest_configure(config: pytest.Config) -> None:
    """Before anything of the suite is imported. The providers are not the global ones: those would wake up others."""
    if os.environ.get("STREAMGAUGE_SUITE_OWN_SPANS"):
        anthropic.PROVIDER = dataclasses.replace(anthropic.PROVIDER, own_span=None)
    gauge = streamgauge.instrument(
        tracer_provider=TracerProvider(shutdown_on_exit=False),
        meter_provider=MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False),
        logger_provider=LoggerProvider(shutdown_on_exit=False),
        sinks=[lambda report: reports.append(report.outcome.value)],
    )
    gauges.append(gauge)


def pytest_unconfigure(config: pytest.Config) -> None:
    """One file of facts per worker."""
    streamgauge.flush()
    facts = {"outcomes": Counter(reports), "errors": gauges[0].guard.errors}
    Path(os.environ["STREAMGAUGE_SUITE_FACTS"], f"{os.getpid()}.json").write_text(json.dumps(facts))
