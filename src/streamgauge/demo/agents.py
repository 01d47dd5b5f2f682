"""Agents: callers whose tools touch the world while their answers stream, and users who press Stop.

In: a provider that runs, and SDKs that are observed. Out: effects, approvals, compensations, tools in the dark and what
users do with a stopped answer, in a ledger of this process, until they are stopped. Nothing here looks at what is
recorded.
"""

import contextlib
import contextvars
import itertools
import json
import os
import queue
import random
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import anthropic
import openai

import streamgauge
from streamgauge.analysis import StreamReport
from streamgauge.demo.provider import Provider
from streamgauge.demo.reading import call, tool_call_begun
from streamgauge.demo.script import BOOKING, WEATHER
from streamgauge.demo.story import APIS
from streamgauge.errors import LedgerError
from streamgauge.ledger import ApprovalRequired, Entry, Execution, Policy, close_ledger, use_ledger
from streamgauge.names import FollowUp, Initiator

LEDGER_URL = "STREAMGAUGE_LEDGER_URL"
RECONCILE_EVERY, SETTLE = 1.5, 3.0
"""Seconds: often, so that a dashboard has something to show soon."""

LOOK_UP = "look_up_tariff"
_PAUSE = 0.4

Happens = Callable[[Execution], None]


def _works(running: Execution) -> None:
    running.committed("done")


def _refused(running: Execution) -> None:
    running.failed_no_effect()


def _lost(_running: Execution) -> None:
    raise TimeoutError("the order was sent, its answer was lost")


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer with a tool call: the tool, what happens in it, when the user presses Stop, and what they do then.

    `stop` is before or after the tool, or never; a `dark` tool runs without being declared.
    """

    tool: str
    kind: str = "booking"
    happens: Happens = _works
    stop: str = ""
    then: FollowUp | None = None
    dark: bool = False


MESSAGE, PAYMENT, HOTEL, SEAT = "send_invoice_email", "charge_card", "book_hotel", "reserve_seat"
TURNS = (
    Turn(MESSAGE, "external_message"),
    Turn(PAYMENT, "payment"),
    Turn(MESSAGE, "external_message", stop="after", then=FollowUp.PARTIAL_KEPT),
    Turn(SEAT),
    Turn(HOTEL, happens=_lost),
    Turn(MESSAGE, "external_message", stop="before", then=FollowUp.REPROMPTED),
    Turn(SEAT, stop="after", then=FollowUp.DISCARDED),
    Turn("post_to_crm", dark=True),
    Turn(SEAT, happens=_refused),
    Turn(MESSAGE, "external_message", stop="before", then=FollowUp.REPROMPTED),
)
"""What an agent does, over and over. Payments need somebody's word, seats are given back when the answer is stopped."""


class Agents:
    """One agent, and a worker for the tools that run after an answer has ended; a context manager."""

    def __init__(self, provider: Provider, seed: int) -> None:
        self._provider = provider
        self._chance = random.Random(seed)  # noqa: S311 - traffic, not secrets
        self._over = threading.Event()
        self._ended: queue.SimpleQueue[StreamReport | None] = queue.SimpleQueue()
        self._failures: list[BaseException] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._ledger = self._open()
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), daemon=True) for work in (self._act, self._afterwards)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._ended.put(None)
        for thread in self._threads:
            thread.join()
        self._stack.close()
        if self._failures and exc[0] is None:
            raise self._failures[0]

    def sink(self, report: StreamReport) -> None:
        """A stream has ended: its tools of the usual kind run now, as in applications that wait for whole answers."""
        if any(each.name in (WEATHER.name, BOOKING.name) for each in report.tool_calls):
            self._ended.put(report)

    def _open(self) -> Any:
        directory = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="streamgauge-demo-"))
        self._stack.callback(close_ledger)
        ledger = use_ledger(
            None if LEDGER_URL in os.environ else f"sqlite:///{directory}/effects.db",
            policies={PAYMENT: Policy("confirm", expires_after=60)},
            compensation="on_partial_commit",
            reconcile_every=RECONCILE_EVERY,
            settle_deadline=SETTLE,
            probe_backoff=RECONCILE_EVERY,
        )
        ledger.probe(HOTEL, lambda _entry: self._chance.choice((True, True, False, None)))
        ledger.compensate(SEAT, _give_back)
        return ledger

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._failures.append(error)

    # while the answer streams

    def _act(self) -> None:
        turns = zip(itertools.cycle(TURNS), itertools.cycle(APIS))
        with (
            openai.OpenAI(base_url=self._provider.base_url(), api_key="any") as one,
            anthropic.Anthropic(base_url=self._provider.base_url(api="anthropic"), api_key="any") as two,
        ):
            for turn, api in turns:
                client = two if api == "messages" else one
                contextvars.Context().run(self._turn, turn, api, client)
                if self._over.wait(self._chance.uniform(0.5, 1.5) * _PAUSE):
                    return

    def _turn(self, turn: Turn, api: str, client: Any) -> None:
        stream = call(api, client, extra_headers=_headers(turn.tool))
        handle = streamgauge.of(stream)
        calls = list(itertools.islice(_begun(stream, api), 2))  # the first is complete when the second begins
        if turn.stop == "before":
            streamgauge.cancel(stream, Initiator.USER_STOP)
        if not turn.dark:
            self._run(turn.tool, turn.kind, calls[0], turn.happens)
        if turn.stop == "after":
            streamgauge.cancel(stream, Initiator.USER_STOP)
        for _chunk in stream:
            pass
        if not turn.stop:
            self._run(LOOK_UP, "read_only", calls[1])
        if turn.then is not None:
            streamgauge.followed_up(handle, turn.then)

    def _run(self, tool: str, kind: str, tool_call: str, happens: Happens = _works) -> None:
        with contextlib.suppress(LedgerError, TimeoutError):
            try:
                _declared(tool, kind, tool_call, happens)
            except ApprovalRequired as waiting:
                self._over.wait(self._chance.uniform(0.1, 1.5))
                if waiting.entry is not None:
                    self._ledger.approve(waiting.entry.key, "ann")
                _declared(tool, kind, tool_call, happens)

    # after the answer

    def _afterwards(self) -> None:
        while (report := self._ended.get()) is not None:
            for each in report.tool_calls:
                if each.complete and each.id is not None:
                    kind = "read_only" if each.name == WEATHER.name else "booking"
                    self._run(each.name or "", kind, f"{report.stream_id}#{each.id}")


def _declared(tool: str, kind: str, tool_call: str, happens: Happens) -> None:
    with streamgauge.effect(tool, kind=kind, reversible=tool == SEAT, tool_call=tool_call) as running:
        happens(running)


def _give_back(_entry: Entry) -> None:
    """Undo a reservation: there is nobody who could refuse."""


def _headers(tool: str) -> dict[str, str]:
    tools = [{"name": tool, "arguments": {"number": 7}}, {"name": LOOK_UP, "arguments": {}}]
    return {"x-streamgauge-fault": "tools", "x-streamgauge-script": json.dumps({"gap_ms": 10, "tools": tools})}


def _begun(stream: Any, api: str) -> Iterator[str]:
    for chunk in stream:
        begun = tool_call_begun(api, chunk)
        if begun is not None:
            yield begun
