"""What the stop button did not stop: one tool call, with Stop pressed before, during and after the tool.

In: a running provider. Out: a `Stopped` per press: what the ledger says of stream and effect, and how many messages a
real mail server has taken. Stream, SDK, tool, socket and ledger are real; the ledger is a temporary file and becomes
the one that `streamgauge.effect` uses in this process, which has none afterwards.
"""

import asyncio
import contextlib
import contextvars
import gc
import json
import smtplib
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

import anthropic
import openai
from aiosmtpd.controller import Controller
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

import streamgauge
from streamgauge.demo.provider import Provider, closed_port
from streamgauge.demo.reading import call, tool_call_begun
from streamgauge.ledger import Entry, StreamStopped, came_from, close_ledger, use_ledger
from streamgauge.names import FollowUp, Initiator

TOOL = "send_invoice_email"
_PATIENCE = 10.0
_AT_ONCE = 1e-6
_HEADERS = {
    "x-streamgauge-fault": "tools",
    "x-streamgauge-script": json.dumps(
        {"tools": [{"name": TOOL, "arguments": {"invoice_id": 7}}, {"name": "look_up_tariff", "arguments": {}}]}
    ),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is to be said of one press: of the stream, of its effect once the ledger was reconciled, and of the mail."""

    outcome: str | None
    initiator: str | None
    effect_state: str
    position: str | None
    verdict: str
    messages: int


@dataclass(frozen=True, slots=True)
class Press:
    """One press of Stop; `when` is before, during or after the tool, `lost` breaks its connection while it waits.

    `then` is what the user does with the part that had arrived.
    """

    name: str
    description: str
    api: str
    when: str
    expected: Facts
    then: FollowUp
    lost: bool = False

    @property
    def at_stop(self) -> str:
        """The verdict while nobody has asked the mail server: of an answer that is lost nobody knows anything."""
        return "unknown" if self.lost else self.expected.verdict


def _facts(effect_state: str, position: str, verdict: str, messages: int) -> Facts:
    return Facts("cancelled", "user_stop", effect_state, position, verdict, messages)


PRESSES = (
    Press(
        "before",
        "the tool call is complete, the tool is about to start",
        "chat",
        "before",
        _facts("never_started", "before_dispatch", "clean", 0),
        FollowUp.REPROMPTED,
    ),
    Press(
        "during",
        "the mail server has the message and has not answered yet",
        "responses",
        "during",
        _facts("committed", "in_flight", "partial_commit", 1),
        FollowUp.PARTIAL_KEPT,
    ),
    Press(
        "during_lost",
        "the same, and its answer never comes: a probe asks the mail server later",
        "messages",
        "during",
        _facts("reconciled_committed", "in_flight", "partial_commit", 1),
        FollowUp.REPROMPTED,
        lost=True,
    ),
    Press(
        "after",
        "the mail server has said 250, the stream goes on",
        "messages",
        "after",
        _facts("committed", "after_commit", "partial_commit", 1),
        FollowUp.DISCARDED,
    ),
)


@dataclass(frozen=True, slots=True)
class Stopped:
    """A press with what was recorded of it; milliseconds from the effect's start and commit to the stop."""

    press: Press
    recorded: Facts | None
    at_stop: str | None = None
    """The verdict before anything was reconciled."""
    stop_after_start_ms: float | None = None
    stop_after_commit_ms: float | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """Where the record does not tell the truth."""
        if self.recorded is None:
            return ("no reconciliation record with one effect",)
        wanted = asdict(self.press.expected) | {"verdict at stop": self.press.at_stop}
        got = asdict(self.recorded) | {"verdict at stop": self.at_stop}
        return tuple(f"{name} {got[name]}, expected {wanted[name]}" for name in wanted if got[name] != wanted[name])

    @property
    def agree(self) -> bool:
        """Whether the ledger, the stream's outcome and the mail server tell the same."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """The press as JSON values."""
        return {
            "name": self.press.name,
            "description": self.press.description,
            "api": self.press.api,
            "expected": asdict(self.press.expected) | {"verdict_at_stop": self.press.at_stop},
            "recorded": asdict(self.recorded) | {"verdict_at_stop": self.at_stop} if self.recorded else None,
            "stop_after_start_ms": self.stop_after_start_ms,
            "stop_after_commit_ms": self.stop_after_commit_ms,
            "agree": self.agree,
            "problems": list(self.problems),
        }


class Inbox:
    """A mail server on 127.0.0.1 that keeps the key of each message; a context manager.

    With `hold` it has the message, sets `taken`, and answers only after `answer()`; with `lose` it breaks the
    connection instead.
    """

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.hold = self.lose = False
        self.taken, self._answer = threading.Event(), threading.Event()
        self._controller = Controller(self, hostname="127.0.0.1", port=closed_port())

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._controller.port)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.answer()
        self._controller.stop()

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """A message has arrived."""
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.keys.append(str(message["X-Key"]))
        if self.hold:
            self.taken.set()
            await asyncio.to_thread(self._answer.wait, _PATIENCE)
        if self.lose:
            server.transport.abort()
        return "250 OK"

    def expect(self, *, hold: bool, lose: bool) -> None:
        """How the next message is met."""
        self.hold, self.lose = hold, lose
        self.taken.clear()
        self._answer.clear()

    def answer(self) -> None:
        """Let the message that is held be answered."""
        self._answer.set()

    def knows(self, entry: Entry) -> bool:
        """The probe: whether the message of this key has arrived."""
        return entry.key in self.keys

    def send(self, key: str, text: str) -> None:
        """Send this server a message, as any mail client would."""
        message = EmailMessage()
        message["From"], message["To"], message["X-Key"] = "billing@example.com", "customer@example.com", key
        message.set_content(text)
        with smtplib.SMTP("127.0.0.1", self.port, timeout=_PATIENCE) as smtp:
            smtp.send_message(message)


def measure(provider: Provider) -> tuple[Stopped, ...]:
    """Press Stop at each moment and read the ledger afterwards; leaves the SDKs as it found them."""
    with Inbox() as inbox, _ledger() as ledger:
        pressed = _pressed(provider, inbox)
        gc.collect()  # the watched clients are gone now, and with them the reason to have hooks in the SDKs
        streamgauge.uninstrument()
        ledger.reconcile()  # there is no probe yet: what is unknown is recorded as that
        at_stop = {record["stream"]: record["verdict"] for record in ledger.reconciliations()}
        ledger.probe(TOOL, inbox.knows)
        ledger.reconcile()
        return tuple(_stopped(press, stream, ledger, inbox, at_stop.get(stream)) for press, stream in pressed)


def _pressed(provider: Provider, inbox: Inbox) -> list[tuple[Press, str]]:
    tool = _tool(inbox)
    with _clients(provider) as clients:
        return [(press, _act(press, clients[press.api], tool, inbox)) for press in PRESSES]


def _tool(inbox: Inbox) -> Callable[..., None]:
    @streamgauge.effect(TOOL, kind="external_message", reversible=False, offer_key_as="key")
    def send_invoice_email(invoice_id: int, key: str = "") -> None:
        inbox.send(key, f"Invoice {invoice_id}")

    return send_invoice_email


@contextlib.contextmanager
def _ledger() -> Iterator[Any]:
    with tempfile.TemporaryDirectory(prefix="streamgauge-demo-") as directory:
        try:
            yield use_ledger(f"sqlite:///{directory}/effects.db", settle_deadline=_AT_ONCE)
        finally:
            close_ledger()


@contextlib.contextmanager
def _clients(provider: Provider) -> Iterator[dict[str, Any]]:
    gauge = streamgauge.Gauge(
        streamgauge.Settings(),
        tracer_provider=TracerProvider(),
        meter_provider=MeterProvider(),
        logger_provider=LoggerProvider(),
    )
    with (
        openai.OpenAI(base_url=provider.base_url(), api_key="any") as one,
        anthropic.Anthropic(base_url=provider.base_url(api="anthropic"), api_key="any") as two,
    ):
        for client in (one, two):
            streamgauge.watch(client, gauge=gauge)
        yield {"chat": one, "responses": one, "messages": two}


def _act(press: Press, client: Any, tool: Callable[..., None], inbox: Inbox) -> str:
    """One stream, one tool in a thread of its own, one press of Stop; the stream's id."""
    stream = call(press.api, client, extra_headers=_HEADERS)
    handle = streamgauge.of(stream)
    assert handle is not None  # noqa: S101 - the client is watched
    inbox.expect(hold=press.when == "during", lose=press.lost)
    running = threading.Thread(
        target=contextvars.copy_context().run, args=(_run, tool, _complete_call(stream, press.api))
    )
    if press.when == "before":
        streamgauge.cancel(stream, Initiator.USER_STOP)
    running.start()
    if press.when == "during":
        inbox.taken.wait(_PATIENCE)
        streamgauge.cancel(stream, Initiator.USER_STOP)
        inbox.answer()
    running.join()
    if press.when == "after":
        streamgauge.cancel(stream, Initiator.USER_STOP)
    streamgauge.followed_up(handle, press.then)
    return handle.id


def _run(tool: Callable[..., None], tool_call: str) -> None:
    with came_from(tool_call), contextlib.suppress(StreamStopped, smtplib.SMTPException):
        tool(7)


def _complete_call(stream: Any, api: str) -> str:
    """Id of the first tool call, read until the second one begins: then the first is complete in every API."""
    begun: list[str] = []
    for chunk in stream:
        begun += filter(None, [tool_call_begun(api, chunk)])
        if len(begun) == 2:
            break
    return begun[0]


def _stopped(press: Press, stream: str, ledger: Any, inbox: Inbox, at_stop: str | None) -> Stopped:
    records = ledger.reconciliations(stream=stream)
    if len(records) != 1 or len(records[0]["effects"]) != 1:
        return Stopped(press, None, at_stop)
    (record,), (effect,) = records, records[0]["effects"]
    said = Facts(
        record["outcome"],
        record["initiator"],
        effect["state"],
        effect["position"],
        record["verdict"],
        inbox.keys.count(effect["key"]),
    )
    return Stopped(press, said, at_stop, effect["stop_after_start_ms"], effect["stop_after_commit_ms"])
