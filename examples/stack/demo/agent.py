"""Traffic with side effects for the example stack: tools that run while answers stream, and users who press Stop.

    STREAMGAUGE_LEDGER_URL=postgresql+psycopg://... python agent.py [TURNS [SECONDS BETWEEN THEM]]

Every seventh answer is stopped after its first tool has run, every eleventh booking is lost on the way and found, or
not found, by a probe later. No key is needed: the provider is the demo's own.
"""

import contextlib
import random
import sys
import time
from collections.abc import Iterable
from itertools import count
from typing import Any

from openai import OpenAI

import streamgauge
from streamgauge.demo import Provider
from streamgauge.demo.ending import interrupted_by_sigterm

QUESTION: Any = [{"role": "user", "content": "A train to where the sun shines, please."}]
TOOLS: Any = [{"type": "function", "function": {"name": "book_train", "parameters": {"type": "object"}}}]
RECONCILE_EVERY = 20


def run_tool(call: Any, number: int) -> None:
    """Run one tool call as an effect; a lost connection leaves it unknown."""
    kind = "read" if call.function.name.startswith("get") else "booking"
    effect = streamgauge.effect(call.function.name, kind=kind, reversible=kind == "read", tool_call=call.id)
    with contextlib.suppress(TimeoutError, streamgauge.LedgerError), effect as running:
        if kind == "booking" and number % 11 == 0:
            raise TimeoutError("the booking was sent, the answer was lost")
        running.committed("done")


def turn(client: OpenAI, number: int) -> None:
    """One answer with tool calls; it is closed, and its end told, also where the agent is told to end."""
    with client.chat.completions.create(model="demo-tools", messages=QUESTION, tools=TOOLS, stream=True) as stream:
        run_tools(stream, number)


def run_tools(stream: Any, number: int) -> None:
    """A call is complete, and runs, when the next one begins or the stream ends."""
    pending = None
    for chunk in stream:
        for call in (chunk.choices[0].delta.tool_calls or ()) if chunk.choices else ():
            if call.id is None:
                continue
            if pending is not None:
                run_tool(pending, number)
                if number % 7 == 0:
                    streamgauge.cancel(stream, "user_stop")
                    return
            pending = call
    if pending is not None:
        run_tool(pending, number)


def main(turns: Iterable[int], pause: float) -> None:
    streamgauge.configure()
    ledger = streamgauge.ledger.use_ledger()
    ledger.probe("book_train", lambda _entry: random.random() < 0.5)
    with (
        contextlib.suppress(KeyboardInterrupt),
        interrupted_by_sigterm(),
        Provider(defaults={"gap_ms": 20}) as provider,
        OpenAI(base_url=provider.base_url("tools"), api_key="-") as client,
    ):
        for number in turns:
            turn(client, number)
            if number % RECONCILE_EVERY == 0:
                ledger.reconcile()
            time.sleep(pause)
    ledger.reconcile()
    ledger.close()


if __name__ == "__main__":
    limit = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    main(range(1, limit + 1) if limit else count(1), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0)
