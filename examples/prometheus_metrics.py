"""Serve metrics for Prometheus from an application that has no OpenTelemetry set up.

OPENAI_BASE_URL=... OPENAI_API_KEY=... PORT=9464 python examples/prometheus_metrics.py
"""

import os
import urllib.request

from openai import OpenAI

import streamgauge

port = int(os.environ.get("PORT", "9464"))
streamgauge.configure(prometheus_port=port)

for _chunk in OpenAI().chat.completions.create(
    model="gpt-5", messages=[{"role": "user", "content": "Tell me of the sea."}], stream=True
):
    pass

with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
    for line in answer.read().decode().splitlines():
        if line.startswith("streamgauge_streams_total") and not line.endswith(" 0.0"):
            print(line)
