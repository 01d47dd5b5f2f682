"""Runs somebody else's function, sync or async, for a limited time, wherever the caller stands."""

import asyncio
import inspect
import threading
from collections.abc import Callable
from typing import Any

from streamgauge.ledger.entry import Entry


def within(seconds: float, function: Callable[[Entry], Any], entry: Entry) -> Any:
    """`function(entry)`, sync or async, in at most `seconds`.

    Raises TimeoutError and lets it run on where it cannot be stopped.
    """
    answer: list[Any] = []

    def run() -> None:
        try:
            result = function(entry)
            answer.append(
                (asyncio.run(asyncio.wait_for(result, seconds)) if inspect.iscoroutine(result) else result, None)
            )
        except BaseException as error:
            answer.append((None, error))

    thread = threading.Thread(target=run, name="streamgauge-probe", daemon=True)
    thread.start()
    thread.join(seconds + 0.1)
    if not answer:
        raise TimeoutError
    result, error = answer[0]
    if error is not None:
        raise error
    return result
