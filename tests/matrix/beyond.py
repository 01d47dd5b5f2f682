"""Runs in the environment with SDKs that are out of range: instruments twice, streams, prints what was said and hooked.

python beyond.py PROVIDER_URL
"""

# What this imports is installed in its own environment only.
# mypy: ignore-errors

import json
import sys

from exits import PROMPT, Complaints, clients_of, hooks

import streamgauge


def main(url: str) -> dict[str, object]:
    """Both SDKs, one stream each."""
    before, complaints = hooks(), Complaints("streamgauge")
    reports: list[object] = []
    for _ in range(2):
        gauge = streamgauge.instrument(sinks=[reports.append])
    openai, anthropic = clients_of(url, "")
    streamgauge.watch(openai)
    chat = openai.chat.completions.create(model="demo-healthy", messages=PROMPT, stream=True)
    messages = anthropic.messages.create(model="demo-healthy", messages=PROMPT, max_tokens=9, stream=True)
    read = {"openai": len(list(chat)) > 1, "anthropic": len(list(messages)) > 1}
    gauge.flush()
    hooked = sum(now is not then for now, then in zip(hooks(), before, strict=True))
    streamgauge.uninstrument()
    return {"hooked": hooked, "reports": len(reports), "read": read, "said": complaints.said}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
