"""What observing costs, measured here and now: the same healthy answer, read bare and read observed, in turns.

In: a running provider. Out: CPU time of the reading thread per chunk, so that the provider, which runs in this process,
is not counted; the fastest reading of each kind, as everything else that happens only ever adds. Observed means default
settings, spans and metrics made but not exported. A quick look, on whatever machine this is: the repository's benchmark
is the careful one.
"""

import gc
import time
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

PIECES = 600
READINGS = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU microseconds per chunk of one API, bare and observed."""

    api: str
    chunks: int
    bare_us: float
    observed_us: float

    @property
    def ratio(self) -> float:
        """Observed to bare; 1.0 is free."""
        return self.observed_us / self.bare_us


def measure(provider: Provider) -> tuple[Cost, ...]:
    """The cost on each API; leaves the SDKs as it found them."""
    gauge = streamgauge.Gauge(streamgauge.Settings(), tracer_provider=TracerProvider(), meter_provider=MeterProvider())
    costs = tuple(_cost(api, provider, gauge) for api in APIS)
    gc.collect()  # the watched clients are gone now, and with them the reason to have hooks in the SDKs
    streamgauge.uninstrument()
    return costs


def _cost(api: str, provider: Provider, gauge: streamgauge.Gauge) -> Cost:
    with _client(api, provider) as bare, _client(api, provider) as watched:
        observed = streamgauge.watch(watched, gauge=gauge)
        pairs = [(_reading(api, bare), _reading(api, observed)) for _ in range(READINGS + 1)]
    fastest = (min(reading) for reading in zip(*pairs[1:], strict=True))  # the first pair warms up
    return Cost(api, PIECES, *fastest)


def _client(api: str, provider: Provider) -> Any:
    family, kind = ("anthropic", anthropic.Anthropic) if api == "messages" else ("openai", openai.OpenAI)
    base_url = provider.base_url("healthy", family, pieces=PIECES, first_ms=0, gap_ms=0)
    return kind(base_url=base_url, api_key="any")


def _reading(api: str, client: Any) -> float:
    """Microseconds of this thread's CPU per chunk."""
    begun, chunks = time.thread_time_ns(), 0
    for _chunk in call(api, client):
        chunks += 1
    return (time.thread_time_ns() - begun) / 1e3 / chunks
