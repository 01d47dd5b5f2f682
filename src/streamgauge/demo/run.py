"""The demo itself: starts the provider, observes the SDKs, lets the traffic run, and sums up what came out.

In: `Options`. Out: a `Summary`; progress goes to a `Show`. `run` ends by itself, `serve` when it is interrupted.
"""

import contextlib
import gc
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

import streamgauge
from streamgauge import slo
from streamgauge.demo import overhead, plan, stops
from streamgauge.demo.agents import Agents
from streamgauge.demo.live import Now, Show
from streamgauge.demo.log import RequestLog
from streamgauge.demo.plan import Job
from streamgauge.demo.provider import Provider, closed_port
from streamgauge.demo.report import Summary, evidence, rows_of, times_of
from streamgauge.demo.story import IDLE_LIMIT, STALL_LIMIT, chosen
from streamgauge.demo.tally import Tally
from streamgauge.demo.traffic import Traffic, warm
from streamgauge.errors import ConfigError
from streamgauge.signals import Sink
from streamgauge.signals.providers import set_up

STREAMS = 420
_TICK = 0.1
_NOTICE = 5.0
_THINK = 0.7
"""Mean seconds between two streams of a caller, when the traffic is to go on."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for; `streams` of None is the demo's own number, or no end with `serve`."""

    faults: tuple[str, ...] = ()
    streams: int | None = None
    seed: int = 0
    jsonl: str | None = None
    prometheus_port: int | None = None
    otlp: bool = False
    bad_share: float = 0.1

    def __post_init__(self) -> None:
        chosen(self.faults)
        if self.streams is not None and self.streams < 1:
            raise ConfigError("--streams", self.streams, "a whole number, 1 or more")
        if not 0 <= self.bad_share <= 1:
            raise ConfigError("--bad-share", self.bad_share, "a share from 0 to 1")


def run(options: Options, show: Show) -> Summary:
    """Make the streams, wait for their ends, and say whether the record tells the truth."""
    tally, began = Tally(), time.monotonic()
    jobs = plan.listed(chosen(options.faults), options.streams or STREAMS, options.seed)
    with Provider() as provider:
        warm(provider)
        with _observed(options, tally, show, _settings(options)) as gauge:
            supplies = [[job for job in jobs if job.surface.asynchronous is side] for side in (False, True)]
            _follow(Traffic(provider, supplies), gauge, tally, show, len(jobs))
            took = time.monotonic() - began
        found = evidence(tally, _settled(provider))
        begun = [job for job in jobs if job.begun]  # all of them, unless it was interrupted
        costs, stopped = (overhead.measure(provider), stops.measure(provider)) if begun == jobs else ((), ())
    return Summary(options.seed, took, rows_of(begun, found), times_of(begun, found), costs, tally, stopped)


def _settled(provider: Provider) -> list[RequestLog]:
    """The provider's log, once it has noticed that its clients have left."""
    until = time.monotonic() + _NOTICE
    while any(not log.ended for log in provider.requests) and time.monotonic() < until:
        time.sleep(_TICK)
    return provider.requests


def serve(options: Options, show: Show) -> Tally:
    """Keep mostly healthy traffic and agents with tools running until it is interrupted, or until there were
    `options.streams`.
    """
    tally, stories = Tally(keep=False), chosen(options.faults)
    supplies = [plan.endless(stories, options.bad_share, options.seed, side) for side in (False, True)]
    limited = _limited(supplies, options.streams)
    chance = random.Random(options.seed)  # noqa: S311 - traffic, not secrets
    with Provider() as provider:
        agents = Agents(provider, options.seed)
        with _observed(options, tally, show, _judged(_settings(options)), agents.sink) as gauge, agents:
            show.say(f"Traffic runs against {provider.url} until it is interrupted (Ctrl-C).")
            traffic = Traffic(provider, limited, threads=6, tasks=10, think=lambda: chance.expovariate(1 / _THINK))
            _follow(traffic, gauge, tally, show, options.streams)
    return tally


def _judged(settings: streamgauge.Settings) -> streamgauge.Settings:
    """The same with the shipped objectives, if no others were named."""
    return (
        settings if settings.slo_file else replace(settings, slo_file=str(Path(slo.__file__).with_name("default.yaml")))
    )


def _limited(supplies: Sequence[Iterator[Job]], total: int | None) -> list[Iterator[Job]]:
    if total is None:
        return list(supplies)
    return [islice(supply, (total + side) // 2) for side, supply in enumerate(supplies)]


def _follow(traffic: Traffic, gauge: streamgauge.Gauge, tally: Tally, show: Show, wanted: int | None) -> None:
    """Let the traffic run to its end or an interrupt, showing how it goes."""
    began = time.monotonic()

    def tell() -> None:
        show.now(Now(time.monotonic() - began, gauge.open_count, wanted, tally.outcomes.copy()))

    with show:
        traffic.start()
        try:
            while traffic.running:
                time.sleep(_TICK)
                tell()
        except KeyboardInterrupt:
            traffic.stop()
        traffic.join()
        gc.collect()  # streams that were dropped are found by the collector, as in any application
        gauge.flush()
        tell()


@contextlib.contextmanager
def _observed(
    options: Options, tally: Tally, show: Show, settings: streamgauge.Settings, *sinks: Sink
) -> Iterator[streamgauge.Gauge]:
    """The SDKs observed, as the options say, with the tally and other `sinks` listening."""
    providers = _providers(options, show)
    providers["tracer_provider"].add_span_processor(tally)
    gauge = streamgauge.instrument(settings=settings, sinks=[tally.sink, *sinks], **providers)
    try:
        yield gauge
    finally:
        streamgauge.uninstrument()
        for hook, count in gauge.guard.errors.items():
            show.say(f"streamgauge itself failed {count} times in {hook}")
        for provider in providers.values():
            provider.force_flush()


def _settings(options: Options) -> streamgauge.Settings:
    return streamgauge.Settings.from_env(
        enabled=True,
        loop_detection=True,
        stall_waiting=5.0,
        stall_planning=STALL_LIMIT,
        stall_acting=STALL_LIMIT,
        stall_responding=STALL_LIMIT,
        idle_limit=IDLE_LIMIT,
        jsonl=options.jsonl,
    )


def _providers(options: Options, show: Show) -> dict[str, Any]:
    if not options.otlp and options.prometheus_port is None:
        readers = [InMemoryMetricReader()]
        return {
            "tracer_provider": TracerProvider(),
            "meter_provider": MeterProvider(metric_readers=readers),
            "logger_provider": LoggerProvider(),
        }
    port = closed_port() if options.prometheus_port == 0 else options.prometheus_port
    providers = set_up(otlp=options.otlp, prometheus_port=port)
    if port is not None:
        show.say(f"Metrics: http://127.0.0.1:{port}/metrics")
    return providers
