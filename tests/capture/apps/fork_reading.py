"""An application that opens streams, forks, reads them on in the child, and closes them in both processes."""

import os
import signal
import sys
from typing import Any

import anthropic
import openai
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import streamgauge
from streamgauge import names

PROMPT: list[Any] = [{"role": "user", "content": "Which gauge?"}]
url = sys.argv[1]
reports: list[streamgauge.StreamReport] = []
reader = InMemoryMetricReader()
gauge = streamgauge.instrument(meter_provider=MeterProvider([reader]), sinks=[reports.append])


def counted() -> int:
    """Streams that this process told of: reports and metric agree."""
    data = reader.get_metrics_data()
    metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
    told: int = sum(
        int(getattr(point, "value", 0)) for m in metrics if m.name == names.STREAMS.name for point in m.data.data_points
    )
    assert told == len(reports)
    return told


def read_on() -> bool:
    """Everything that is left of the streams; True if there was something of each."""
    return min([len(list(stream)) for stream in streams]) > 0


one = openai.OpenAI(base_url=f"{url}/v1", api_key="k")
two = anthropic.Anthropic(base_url=url, api_key="k")
streams: list[Any] = [
    one.chat.completions.create(model="m", messages=PROMPT, stream=True),
    one.responses.stream(model="m", input="Which gauge?").__enter__(),
    two.messages.create(model="m", messages=PROMPT, max_tokens=9, stream=True),
    one.chat.completions.create(model="m", messages=PROMPT, stream=True),
]
for stream in streams:
    next(stream)
given_up = streamgauge.of(streams[3])
assert given_up is not None
given_up.abandon(gauge.clock.monotonic_ns())  # as the watchdog does after the idle limit
before = len(reports)
child = os.fork()
if child == 0:
    signal.alarm(20)
    reports.clear()
    print(f"child-read={read_on()}")
    for stream in streams:
        stream.close()
    gauge.close()
    print(f"child-told={len(reports)}")
    sys.stdout.flush()
    os._exit(0)
print(f"child-exit={os.waitpid(child, 0)[1]}")
for stream in streams:
    stream.close()
gauge.flush()
print(f"parent-told={counted()}")
