"""The seed's story, end to end: a real SDK streams a tool call, the tool sends real mail, a user presses Stop."""

import asyncio
import contextlib
import contextvars
import json
import queue
import smtplib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.capture.watching import Watch

import streamgauge
from streamgauge import names
from streamgauge.demo.reading import call
from streamgauge.demo.stops import Inbox
from streamgauge.ledger import Ledger, StreamStopped, came_from, close_ledger, current_effect, use_ledger

APIS = ("chat", "responses", "messages")
HEADERS = {
    "x-streamgauge-fault": "tools",
    "x-streamgauge-script": json.dumps(
        {"tools": [{"name": "send_invoice_email", "arguments": {"invoice_id": 7}}, {"name": "look_up_tariff"}]}
    ),
}
each_api = pytest.mark.parametrize("api", APIS)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as running:
        yield running


@pytest.fixture
def ledger(gauge: Watch, url: str) -> Iterator[Ledger]:
    """The ledger in use."""
    yield use_ledger(url)
    close_ledger()


@pytest.fixture
def send(inbox: Inbox) -> Callable[..., None]:
    """The tool, as the issue has it."""

    @streamgauge.effect(kind="external_message", reversible=False)
    def send_invoice_email(invoice_id: int) -> None:
        running = current_effect()
        assert running is not None
        inbox.send(running.idempotency_key, f"Invoice {invoice_id}")

    return send_invoice_email


@dataclass
class Answer:
    """A stream in which the first tool call is complete, the second one has begun, and more is to come."""

    stream: Any
    id: str
    call: str
    """Id of the first tool call."""

    def stop(self) -> None:
        streamgauge.cancel(self.stream, initiator="user_stop")


Ask = Callable[..., Answer]


@pytest.fixture
def ask(clients: dict[str, Any], ledger: Ledger) -> Ask:
    def begin(api: str) -> Answer:
        stream = call(api, clients["anthropic" if api == "messages" else "openai"], extra_headers=HEADERS)
        handle = streamgauge.current()
        assert handle is not None and streamgauge.of(stream) is handle
        begun: list[str] = []
        for chunk in stream:
            begun += calls_begun(chunk)
            if len(begun) == 2:
                break
        return Answer(stream, handle.id, begun[0])

    return begin


def calls_begun(chunk: Any) -> list[str]:
    """Ids of the tool calls that begin in a chunk of any API."""
    if hasattr(chunk, "choices"):
        return [made.id for choice in chunk.choices for made in choice.delta.tool_calls or () if made.id]
    if chunk.type == "response.output_item.added" and chunk.item.type == "function_call":
        return [chunk.item.call_id]
    if chunk.type == "content_block_start" and chunk.content_block.type == "tool_use":
        return [chunk.content_block.id]
    return []


def in_thread(tool: Callable[..., None], *args: Any) -> threading.Thread:
    """The tool as an agent runs it: in a thread, with the reader's context."""

    def run() -> None:
        with contextlib.suppress(smtplib.SMTPException):
            tool(*args)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,))
    thread.start()
    return thread


def stop_during(answer: Answer, inbox: Inbox, send: Callable[..., None], *, lose: bool = False) -> None:
    """Stop while the mail server has the message and has not answered."""
    inbox.expect(hold=True, lose=lose)
    tool = in_thread(send, 7)
    assert inbox.taken.wait(20)
    answer.stop()
    inbox.answer()
    tool.join(20)
    assert not tool.is_alive()


def record_of(ledger: Ledger, answer: Answer) -> tuple[dict[str, Any], dict[str, Any]]:
    """The only record of the stream, and its only effect."""
    (record,) = ledger.reconciliations(stream=answer.id)
    (effect,) = record["effects"]
    assert (record["outcome"], record["initiator"], effect["tool"]) == ("cancelled", "user_stop", "send_invoice_email")
    return record, effect


# before, during, after


@each_api
def test_stop_before_the_tool_starts_sends_nothing(
    ask: Ask, send: Callable[..., None], ledger: Ledger, inbox: Inbox, api: str
) -> None:
    answer = ask(api)
    answer.stop()
    with came_from(answer.call), pytest.raises(StreamStopped) as refused:
        send(7)
    assert refused.value.entry is not None
    record, effect = record_of(ledger, answer)
    assert (effect["state"], effect["position"], record["verdict"]) == ("never_started", "before_dispatch", "clean")
    assert effect["key"] == refused.value.entry.key
    assert effect["stop_after_start_ms"] is None
    assert inbox.keys == []


@each_api
def test_stop_while_the_tool_is_in_flight_does_not_call_the_mail_back(
    ask: Ask, send: Callable[..., None], ledger: Ledger, inbox: Inbox, api: str
) -> None:
    answer = ask(api)
    with came_from(answer.call):
        stop_during(answer, inbox, send)
    record, effect = record_of(ledger, answer)
    assert (effect["state"], effect["position"], record["verdict"]) == ("committed", "in_flight", "partial_commit")
    assert effect["stop_after_start_ms"] > 0 > effect["stop_after_commit_ms"]
    assert inbox.keys == [effect["key"]]


@each_api
def test_stop_after_the_mail_server_said_250_leaves_a_partial_commit(
    ask: Ask, send: Callable[..., None], ledger: Ledger, inbox: Inbox, api: str
) -> None:
    answer = ask(api)
    with came_from(answer.call):
        send(7)
    answer.stop()
    record, effect = record_of(ledger, answer)
    assert (effect["state"], effect["position"], record["verdict"]) == ("committed", "after_commit", "partial_commit")
    assert effect["stop_after_start_ms"] > effect["stop_after_commit_ms"] > 0
    assert inbox.keys == [effect["key"]]


def test_one_tool_stopped_three_times_gives_three_records_three_positions_and_three_verdicts(
    ask: Ask, send: Callable[..., None], inbox: Inbox, url: str
) -> None:
    """The answer to the mail in flight is lost, and nobody has asked the mail server yet; then somebody does."""
    ledger = use_ledger(url, settle_deadline=1e-6)
    before, during, after = answers = [ask(api) for api in APIS]
    before.stop()
    with came_from(before.call), pytest.raises(StreamStopped):
        send(7)
    with came_from(during.call):
        stop_during(during, inbox, send, lose=True)
    inbox.expect(hold=False, lose=False)
    with came_from(after.call):
        send(7)
    after.stop()
    ledger.reconcile()
    told = [record_of(ledger, answer) for answer in answers]
    assert [record["verdict"] for record, _ in told] == ["clean", "unknown", "partial_commit"]
    assert [record["settled"] for record, _ in told] == [True, False, True]
    assert [effect["position"] for _, effect in told] == ["before_dispatch", "in_flight", "after_commit"]
    assert [effect["state"] for _, effect in told] == ["never_started", "unknown", "committed"]
    ledger.probe("send_invoice_email", inbox.knows)
    ledger.reconcile()
    told = [record_of(ledger, answer) for answer in answers]
    assert [record["verdict"] for record, _ in told] == ["clean", "partial_commit", "partial_commit"]
    assert [effect["state"] for _, effect in told] == ["never_started", "reconciled_committed", "committed"]
    kept = [record["verdict"] for record in ledger.reconciliations(stream=during.id, history=True)]
    assert kept == ["unknown", "partial_commit"], "what was not known stays on record"
    assert len(inbox.keys) == 2


async def test_a_task_that_is_cancelled_in_the_tool_leaves_it_unknown(
    async_clients: dict[str, Any], ledger: Ledger, inbox: Inbox
) -> None:
    @streamgauge.effect(kind="external_message", reversible=False)
    async def send_invoice_email(invoice_id: int, key: str) -> None:
        await asyncio.to_thread(inbox.send, key, f"Invoice {invoice_id}")

    stream = await call("messages", async_clients["anthropic"], extra_headers=HEADERS)
    async for chunk in stream:
        if made := calls_begun(chunk):
            break
    handle = streamgauge.of(stream)
    assert handle is not None
    inbox.expect(hold=True, lose=False)
    with came_from(made[0]):
        tool = asyncio.create_task(send_invoice_email(7, "k"))
    assert await asyncio.to_thread(inbox.taken.wait, 20)
    closing = streamgauge.cancel(stream)
    assert closing is not None
    await closing
    tool.cancel()
    inbox.answer()
    with pytest.raises(asyncio.CancelledError):
        await tool
    (entry,) = ledger.entries(stream=handle.id)
    assert (entry.state, entry.reason) == ("unknown", "cancelled in flight: CancelledError")
    assert entry.tool_call_id == made[0]
    assert inbox.keys == ["k"]


# how the effect finds its stream


@each_api
def test_context_finds_the_stream_that_the_caller_reads(
    ask: Ask, send: Callable[..., None], ledger: Ledger, inbox: Inbox, api: str
) -> None:
    answer = ask(api)
    in_thread(send, 7).join()
    current = streamgauge.current()
    assert current is not None and current.id == answer.id
    answer.stop()
    record, effect = record_of(ledger, answer)
    assert (effect["position"], record["verdict"]) == ("after_commit", "partial_commit")
    assert [dark["tool"] for dark in record["undeclared"]] == ["look_up_tariff"], "the tool itself is not in the dark"
    assert [dark.tool for dark in ledger.undeclared(stream=answer.id)] == ["look_up_tariff"]
    assert inbox.keys == [effect["key"]]


HELPERS: dict[str, Callable[[Any], Any]] = {
    "chat": lambda stream: stream.current_completion_snapshot.choices[0].message.tool_calls[0],
    "responses": lambda stream: next(e.item for e in stream if e.type == "response.output_item.done" and _called(e)),
    "messages": lambda stream: next(
        e.content_block for e in stream if e.type == "content_block_stop" and e.content_block.type == "tool_use"
    ),
}
"""The SDK's own object of the first tool call, from its `.stream()` helper."""


def _called(event: Any) -> bool:
    return bool(event.item.type == "function_call")


@each_api
def test_the_tool_call_object_of_the_sdk_finds_stream_and_call(
    clients: dict[str, Any], ledger: Ledger, inbox: Inbox, api: str
) -> None:
    client = clients["anthropic" if api == "messages" else "openai"]
    with call(api, client, helper=True, extra_headers=HEADERS) as stream:
        handle = streamgauge.of(stream)
        assert handle is not None
        if api == "chat":
            next(event for event in stream if event.type == "tool_calls.function.arguments.done")
        made = HELPERS[api](stream)
        asked = threading.Thread(target=_send_for, args=(made, inbox))  # a fresh thread: no context helps
        asked.start()
        asked.join(20)
        streamgauge.cancel(stream)
    (record,) = ledger.reconciliations(stream=handle.id)
    (effect,) = record["effects"]
    assert effect["tool_call_id"] == (made.call_id if api == "responses" else made.id)
    assert (effect["position"], record["verdict"]) == ("after_commit", "partial_commit")
    assert inbox.keys == [effect["key"]]


def _send_for(tool_call: Any, inbox: Inbox) -> None:
    with streamgauge.effect("send_invoice_email", kind="external_message", tool_call=tool_call) as effect:
        inbox.send(effect.idempotency_key, "Invoice 7")


def test_a_reference_that_went_through_a_queue_finds_the_stream_in_another_thread(
    ask: Ask, send: Callable[..., None], ledger: Ledger, inbox: Inbox
) -> None:
    answer = ask("messages")
    jobs: queue.Queue[str] = queue.Queue()

    def work() -> None:
        assert streamgauge.current() is None
        with came_from(jobs.get(timeout=20)):
            send(7)

    worker = threading.Thread(target=work)
    worker.start()
    jobs.put(f"{answer.id}#{answer.call}")
    worker.join(20)
    answer.stop()
    _, effect = record_of(ledger, answer)
    assert effect["tool_call_id"] == answer.call
    assert inbox.keys == [effect["key"]]


WORKER = """
import smtplib, sys
import streamgauge
from streamgauge.ledger import StreamStopped, current_effect, use_ledger

url, port, reference = sys.argv[1:]

@streamgauge.effect(kind="external_message", reversible=False, tool_call_arg="reference")
def send_invoice_email(invoice_id, reference):
    text = f"X-Key: {current_effect().idempotency_key}\\r\\n\\r\\nInvoice {invoice_id}"
    with smtplib.SMTP("127.0.0.1", int(port), timeout=20) as smtp:
        smtp.sendmail("billing@example.com", ["customer@example.com"], text)

with use_ledger(url):
    try:
        send_invoice_email(7, reference)
    except StreamStopped as refused:
        print("refused", refused.entry.state)
    else:
        print("sent")
"""


@pytest.mark.parametrize(
    ("stop_first", "said", "told", "mails"),
    [
        (True, "refused never_started", ("never_started", "before_dispatch", "clean"), 0),
        (False, "sent", ("committed", "after_commit", "partial_commit"), 1),
    ],
)
def test_a_reference_handed_to_another_process_meets_the_fence_there(
    ask: Ask, ledger: Ledger, inbox: Inbox, url: str, stop_first: bool, said: str, told: tuple[str, ...], mails: int
) -> None:
    answer = ask("chat")
    if stop_first:
        answer.stop()
    command = [sys.executable, "-c", WORKER, url, str(inbox.port), f"{answer.id}#{answer.call}"]
    worker = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert worker.stdout.strip() == said, worker.stderr
    if not stop_first:
        answer.stop()
    record, effect = record_of(ledger, answer)
    assert (effect["state"], effect["position"], record["verdict"]) == told
    assert inbox.keys == [effect["key"]] * mails


# what else is told


@each_api
def test_a_tool_call_without_an_effect_is_undeclared(
    ask: Ask, send: Callable[..., None], ledger: Ledger, api: str
) -> None:
    answer = ask(api)
    with came_from(answer.call):
        send(7)
    answer.stop()
    record, _ = record_of(ledger, answer)
    (dark,) = record["undeclared"]
    assert (dark["tool"], dark["complete"], dark["state"]) == ("look_up_tariff", False, "undeclared")
    assert record["states"] == {"committed": 1, "undeclared": 1}
    assert [made.tool for made in ledger.undeclared(stream=answer.id)] == ["look_up_tariff"]


def test_a_record_says_how_much_was_shown_and_what_was_used(
    ask: Ask, send: Callable[..., None], ledger: Ledger, gauge: Watch
) -> None:
    answer = ask("messages")
    with came_from(answer.call):
        send(7)
    answer.stop()
    record, effect = record_of(ledger, answer)
    (report,) = gauge.reports
    assert record["shown_chars"] == report.characters.text > 0
    assert effect["shown_in_flight"] == 0
    assert record["usage"]["provenance"] == report.usage.provenance
    assert report.cancel is not None
    assert record["phase"] == report.cancel.phase


def test_effects_and_reconciliations_come_out_as_signals_linked_to_the_stream(
    ask: Ask, send: Callable[..., None], ledger: Ledger, gauge: Watch
) -> None:
    answer = ask("responses")
    with came_from(answer.call):
        send(7)
    answer.stop()
    (of_stream,) = [span for span in gauge.spans if names.OUTCOME in span.attributes and span.kind.name == "CLIENT"]
    (of_record,) = [span for span in gauge.spans if span.name == "reconcile partial_commit"]
    assert [link.context.span_id for link in of_record.links] == [of_stream.context.span_id]
    assert of_record.links[0].context.trace_id == of_stream.context.trace_id
    assert of_record.attributes[names.STREAM_ID] == of_stream.attributes[names.STREAM_ID] == answer.id
    (event,) = of_record.events
    assert event.attributes[names.EFFECT_POSITION] == "after_commit"
    assert event.attributes[names.TOOL_CALL_ID] == answer.call
    logs = [log.log_record for log in gauge.logs]
    states = [log.attributes[names.EFFECT_STATE] for log in logs if log.event_name == names.EVENT_EFFECT]
    assert states == ["intended", "started", "committed"]
    (told,) = [log for log in logs if log.event_name == names.EVENT_RECONCILIATION]
    assert told.span_id == of_stream.context.span_id
    assert told.attributes[names.RECONCILIATION_VERDICT] == "partial_commit"
    points = gauge.points()
    assert _counted(points[names.EFFECTS_TOTAL.name], names.EFFECT_STATE) == dict.fromkeys(states, 1)
    assert _counted(points[names.RECONCILIATIONS_TOTAL.name], names.RECONCILIATION_VERDICT) == {"partial_commit": 1}
    assert [point.value for point in points[names.UNRECONCILED.name]] == [0]


def test_effects_without_any_stream_come_out_as_signals(
    send: Callable[..., None], ledger: Ledger, gauge: Watch, inbox: Inbox
) -> None:
    worker = threading.Thread(target=send, args=(7,))  # no context, as in a process that only runs tools
    worker.start()
    worker.join(20)
    assert _counted(gauge.points()[names.EFFECTS_TOTAL.name], names.EFFECT_STATE) == dict.fromkeys(
        ("intended", "started", "committed"), 1
    )
    assert (len(inbox.keys), gauge.reports) == (1, [])


def _counted(points: list[Any], label: str) -> dict[str, int]:
    return {point.attributes[label]: point.value for point in points if point.value}


def test_records_reach_the_jsonl_file(ask: Ask, send: Callable[..., None], url: str, tmp_path: Path) -> None:
    use_ledger(url, jsonl=tmp_path / "records.jsonl")
    answer = ask("chat")
    with came_from(answer.call):
        send(7)
    answer.stop()
    (line,) = (tmp_path / "records.jsonl").read_text().splitlines()
    assert (json.loads(line)["stream"], json.loads(line)["verdict"]) == (answer.id, "partial_commit")
