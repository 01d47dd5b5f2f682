"""An application that opens streams, forks, presses Stop in the child, and reads on in the parent."""

import os
import signal
import sys
from typing import Any

import anthropic
import openai

import streamgauge

PROMPT: list[Any] = [{"role": "user", "content": "Which gauge?"}]
url = sys.argv[1]
reports: list[streamgauge.StreamReport] = []
gauge = streamgauge.instrument(sinks=[reports.append])


def told_by_id(stream_id: str) -> bool:
    """Whether the id of a stream is taken for one that can be cancelled."""
    try:
        streamgauge.cancel(stream_id)
    except streamgauge.ConfigError:
        return False
    return True


one = openai.OpenAI(base_url=f"{url}/v1", api_key="k")
two = anthropic.Anthropic(base_url=url, api_key="k")
streams: list[Any] = [
    one.chat.completions.create(model="m", messages=PROMPT, stream=True),
    two.messages.create(model="m", messages=PROMPT, max_tokens=9, stream=True),
]
over = one.chat.completions.create(model="m", messages=PROMPT, stream=True)
for _chunk in over:
    pass
for stream in streams:
    next(stream)
handles: list[Any] = [streamgauge.of(stream) for stream in streams]
reports.clear()
child = os.fork()
if child == 0:
    signal.alarm(20)
    print(f"child-ended={[streamgauge.cancel(stream) for stream in (*streams, over)] != [None] * 3}")
    print(f"child-by-id={any(told_by_id(handle.id) for handle in handles)}")
    gauge.flush()
    print(f"child-told={len(reports)}")
    sys.stdout.flush()
    os._exit(0)
print(f"child-exit={os.waitpid(child, 0)[1]}")
for stream in streams:
    assert list(stream)
print("parent=" + ",".join(report.outcome.value for report in reports))
print("streams=" + ",".join(handle.id for handle in handles), f"parent-id={os.getpid()}", sep="\n")
