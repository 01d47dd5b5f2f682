"""Runs in the environment with other instrumentations: one of them active, without us, before us or after us.

    python beside.py PROVIDER_URL OTHER ORDER

OTHER is a key of OTHERS; ORDER is `alone`, `first` (the other one before us) or `last`. Prints what the caller
saw, what we told and whose spans there were.
"""

# What this imports is installed in its own environment only.
# mypy: ignore-errors

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

import exits
from exits import Complaints, Watched, hooks, play_all
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

WAYS = {"exhaust", "drop", "close", "with", "reset", "truncated", "error_event", "task cancel"}


def _instrumentors(*paths: str) -> Callable[[Any, Any], None]:
    def activate(tracers: Any, meters: Any) -> None:
        for path in paths:
            module, _, name = path.partition(":")
            made = getattr(importlib.import_module(module), name)()
            made.instrument(tracer_provider=tracers, meter_provider=meters, skip_dep_check=True)

    return activate


def _native(tracers: Any, _meters: Any) -> None:
    trace.set_tracer_provider(tracers)


OTHERS: dict[str, Callable[[Any, Any], None]] = {
    "anthropic": _native,
    "genai": _instrumentors(
        "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
    ),
    "openinference": _instrumentors(
        "openinference.instrumentation.openai:OpenAIInstrumentor",
        "openinference.instrumentation.anthropic:AnthropicInstrumentor",
    ),
    "openllmetry": _instrumentors(
        "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
    ),
}


def main(url: str, other: str, order: str) -> dict[str, Any]:
    """All ways out, with the other one active."""
    tracers, meters = TracerProvider(), MeterProvider()
    loop, complaints = Complaints("asyncio"), Complaints("streamgauge")
    watched = None
    if order == "last":
        watched = Watched(tracers)
    OTHERS[other](tracers, meters)
    if order == "first":
        watched = Watched(tracers)
    before = hooks()
    play_all(url, {"exhaust"})
    if watched is not None:
        watched.told()
        streams = watched.totals()
    exits.gc.freeze()
    found = play_all(url, WAYS, watched)
    facts: dict[str, Any] = {"cases": {name: {"seen": seen, **(told or {})} for name, (seen, told) in found.items()}}
    facts |= {"loop_complaints": loop.said, "complaints": complaints.said, "hooks_kept": before == hooks()}
    if watched is not None:
        totals = watched.totals()
        facts["totals"] = {name: value - streams[name] for name, value in totals.items()}
        facts |= {"open": watched.gauge.open_count, "own_errors": dict(watched.gauge.guard.errors)}
        watched.close()
    return facts


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
