"""What observing costs, measured here and now: the same healthy answer, read bare and read observed.

In: a running provider and SDKs that nothing observes. Out: CPU time of the reading thread per chunk, so that the
provider, which runs in this process, is not counted. Observed means default settings, spans and metrics made but not
exported. A quick look, taken on whatever machine this is; the repository's benchmark is the careful one.
"""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

import streamgauge
from streamgauge.demo.provider import Provider
from streamgauge.demo.reading import call
from streamgauge.demo.story import APIS

PIECES = 300
STREAMS = 5


@dataclass(frozen=True, slots=True)
class Cost:
    """Median CPU microseconds per chunk of one API, bare and observed."""

    api: str
    chunks: int
    bare_us: float
    observed_us: float

    @property
    def ratio(self) -> float:
        """Observed to bare; 1.0 is free."""
        return self.observed_us / self.bare_us


def measure(provider: Provider) -> tuple[Cost, ...]:
    """The cost on each API: bare, observed, bare again, so that a drift of the machine counts for neither side."""
    clients = _clients(provider)
    before = _round(clients)
    streamgauge.instrument(
        tracer_provider=TracerProvider(), meter_provider=MeterProvider(), settings=streamgauge.Settings()
    )
    try:
        observed = _round(clients)
    finally:
        streamgauge.uninstrument()
    after = _round(clients)
    for client in clients.values():
        client.close()
    return tuple(
        Cost(api, PIECES, statistics.median(before[api] + after[api]), statistics.median(observed[api])) for api in APIS
    )


def _clients(provider: Provider) -> dict[str, Any]:
    def at(api: str) -> str:
        return provider.base_url("healthy", api, pieces=PIECES, first_ms=0, gap_ms=0)

    return {
        "openai": openai.OpenAI(base_url=at("openai"), api_key="any"),
        "anthropic": anthropic.Anthropic(base_url=at("anthropic"), api_key="any"),
    }


def _round(clients: dict[str, Any]) -> dict[str, list[float]]:
    return {api: list(_samples(api, clients["anthropic" if api == "messages" else "openai"])) for api in APIS}


def _samples(api: str, client: Any) -> Iterator[float]:
    for number in range(STREAMS + 1):
        begun, chunks = time.thread_time_ns(), 0
        for _chunk in call(api, client):
            chunks += 1
        if number:  # the first one warms up
            yield (time.thread_time_ns() - begun) / 1e3 / chunks
