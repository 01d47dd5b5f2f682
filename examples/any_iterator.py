"""Observe a stream that no known SDK made: any sync or async iterator of strings, dicts or chunk objects.

python examples/any_iterator.py
"""

from collections.abc import Iterator

import streamgauge


def my_own_client() -> Iterator[dict[str, object]]:
    for word in ("the", "sea", "is", "calm", "tonight"):
        yield {"choices": [{"index": 0, "delta": {"content": word + " "}, "finish_reason": None}]}
    # ... and here the connection ends politely, without a finish reason


stream = streamgauge.watch(my_own_client(), provider="acme", model="m1")
handle = streamgauge.of(stream)
for _chunk in stream:
    pass

assert handle is not None and handle.report is not None
print(handle.report.outcome)
