"""An application that sets a gauge up, opens a stream, forks, and streams in parent and child alike."""

import gc
import os
import signal
import sys
import threading
import time
from typing import Any

import openai
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import streamgauge
from streamgauge import names

PROMPT: list[Any] = [{"role": "user", "content": "Which gauge?"}]
reports: list[streamgauge.StreamReport] = []
reader = InMemoryMetricReader()
gauge = streamgauge.instrument(meter_provider=MeterProvider([reader]), sinks=[reports.append])


def say(line: str) -> None:
    """One write for the whole line: two processes speak here."""
    os.write(1, f"{line}\n".encode())


def opened(client: openai.OpenAI) -> Any:
    return client.chat.completions.create(model="m", messages=PROMPT, stream=True)


def stream_and_drop() -> str:
    """Outcomes of one stream that is read to its end and one that is dropped."""
    reports.clear()
    with openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="k") as client:
        assert len(list(opened(client))) > 3
        dropped = opened(client)
        next(dropped)
        del dropped
        gc.collect()
        deadline = time.monotonic() + 10
        while len(reports) < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
    return ",".join(report.outcome.value for report in reports)


def counted() -> int:
    data = reader.get_metrics_data()
    metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
    points: list[Any] = [point for m in metrics if m.name == names.STREAMS.name for point in m.data.data_points]
    return sum(point.value for point in points if point.attributes[names.REQUEST_MODEL] == "m")


def watchdogs() -> bool:
    return [thread.name for thread in threading.enumerate()].count("streamgauge-watchdog") == 1


before = openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="k")
held = opened(before)
next(held)
held_lock, forked = threading.Event(), threading.Event()


def hold() -> None:
    """Hold a lock of ours while the fork happens: in the child nobody is there to let it go."""
    with gauge._watchdog._changing, gauge._lock:
        held_lock.set()
        forked.wait()


holder = threading.Thread(target=hold)
holder.start()
held_lock.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)
    say(f"child-open-at-start={gauge.open_count}")
    told = stream_and_drop()
    say(f"child={told}")
    say(f"child-metric={counted()}")
    say(f"child-watchdog={watchdogs()}")
    os._exit(0)
forked.set()
holder.join()
say(f"parent={stream_and_drop()}")
reports.clear()
list(held)
say(f"parent-of-before={reports[0].outcome.value}")
before.close()
say(f"child-exit={os.waitpid(child, 0)[1]}")
