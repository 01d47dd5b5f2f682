"""Observe every client of every SDK, and print what happened to each stream.

OPENAI_BASE_URL=... OPENAI_API_KEY=... python examples/every_client.py
"""

from openai import OpenAI

import streamgauge


def show(report: streamgauge.StreamReport) -> None:
    print(f"{report.outcome} after {report.duration_s:.2f} s, first text after {report.ttft_s or float('nan'):.2f} s")
    print(f"  {report.chunks} chunks, {report.characters.text} characters, findings: {list(report.findings) or 'none'}")


streamgauge.instrument(sinks=[show])

for chunk in OpenAI().chat.completions.create(
    model="gpt-5", messages=[{"role": "user", "content": "Tell me of the sea."}], stream=True
):
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="", flush=True)
print()
