"""Every fault, over real sockets, as the real SDKs see it: what arrives, how it ends, which exception says so."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from streamgauge.demo import FAULTS, Provider, RequestLog
from streamgauge.names import Finding, Outcome

PROMPT: list[Any] = [{"role": "user", "content": "Which gauge?"}]
HANGING = ("stall_forever", "read_timeout", "header_timeout")
APIS = ("chat", "responses", "messages")
Mark = str | type[BaseException] | None


@dataclass(frozen=True)
class Row:
    """What the SDKs hand to their callers: pieces of content, and the marker or the exception at the end."""

    pieces: int
    chat: Mark
    responses: Mark
    messages: Mark


def healthy(pieces: int = 12) -> Row:
    return Row(pieces, "stop", "response.completed", "end_turn+message_stop")


def tools(pieces: int) -> Row:
    return Row(pieces, "tool_calls", "response.completed", "tool_use+message_stop")


def filtered(pieces: int) -> Row:
    return Row(pieces, "content_filter", "response.incomplete", "refusal+message_stop")


def refused(kind: str) -> Row:
    return Row(0, getattr(openai, kind), getattr(openai, kind), getattr(anthropic, kind))


LOST = openai.APIConnectionError
LATE = openai.APITimeoutError
LENGTH = Row(12, "length", "response.incomplete", "max_tokens+message_stop")
ROWS = {
    "healthy": healthy(),
    "reasoning": healthy(20),
    "tools": tools(14),
    "reasoning_and_tools": tools(22),
    "several_choices": healthy(),
    "slow_first_token": healthy(),
    "slow_dribble": healthy(),
    "stall": healthy(),
    "pings_only": healthy(),
    "late_usage": healthy(),
    "usage_missing": healthy(),
    "stall_forever": Row(6, LATE, LATE, httpx2.ReadTimeout),
    "read_timeout": Row(6, LATE, LATE, httpx2.ReadTimeout),
    "header_timeout": Row(0, LATE, LATE, anthropic.APITimeoutError),
    "reset": Row(6, LOST, LOST, httpx2.ReadError),
    "cut_chunked": Row(6, LOST, LOST, httpx2.RemoteProtocolError),
    "truncated": Row(6, None, None, None),
    "truncated_frame": Row(6, None, None, None),
    "cut_tool_args": Row(6, None, None, None),
    "no_content_no_end": Row(0, None, None, None),
    "error_event": Row(6, openai.APIError, "error", anthropic.APIStatusError),
    "response_failed": Row(6, openai.APIError, "response.failed", anthropic.APIStatusError),
    "garbage": Row(6, json.JSONDecodeError, json.JSONDecodeError, json.JSONDecodeError),
    "duplicate_chunk": healthy(24),
    "unknown_event": healthy(),
    "null_fields": healthy(),
    "gateway": healthy(),
    "empty": healthy(0),
    "incomplete": LENGTH,
    "loop": Row(240, LENGTH.chat, LENGTH.responses, LENGTH.messages),
    "content_filter_mid": filtered(6),
    "content_filter_start": filtered(0),
    "refusal": Row(4, "stop", "response.completed", "refusal+message_stop"),
    "malformed_tool": tools(9),
    "missing_finish_reason": Row(12, None, "response.completed", "message_stop"),
    "missing_done": Row(12, "stop", "response.completed", "end_turn"),
    "rate_limited_then_ok": healthy(),
    "rate_limited": refused("RateLimitError"),
    "overloaded": refused("InternalServerError"),
    "server_error": refused("InternalServerError"),
    "bad_request": refused("BadRequestError"),
    "unauthorized": refused("AuthenticationError"),
}
PIECES = {("several_choices", "chat"): 36, ("refusal", "messages"): 0}
UNLIKE = {"duplicate_chunk", "malformed_tool", "missing_finish_reason"}
SURVIVABLE = [
    name for name, row in ROWS.items() if row in (healthy(row.pieces), tools(row.pieces)) and name not in UNLIKE
]


@dataclass
class Seen:
    """What one stream brought, counted from the SDK's own objects."""

    pieces: int = 0
    characters: int = 0
    marks: list[str] = field(default_factory=list)
    error: BaseException | None = None

    def content(self, piece: str | None) -> None:
        self.pieces += bool(piece)
        self.characters += len(piece or "")

    def chat(self, chunk: Any) -> None:
        for choice in chunk.choices:
            delta = choice.delta
            for piece in (delta.content, delta.refusal, getattr(delta, "reasoning_content", None)):
                self.content(piece)
            for call in delta.tool_calls or ():
                self.content(call.function.arguments)
            self.marks = [choice.finish_reason] if choice.finish_reason else self.marks

    def responses(self, event: Any) -> None:
        if event.type.endswith(".delta"):
            self.content(event.delta)
        if event.type in ("response.completed", "response.incomplete", "response.failed", "error"):
            self.marks.append(event.type)

    def messages(self, event: Any) -> None:
        if event.type == "content_block_delta" and event.delta.type != "signature_delta":
            kept = event.delta
            self.content(
                getattr(kept, {"text_delta": "text", "thinking_delta": "thinking"}.get(kept.type, "partial_json"))
            )
        if event.type == "message_delta" and event.delta.stop_reason:
            self.marks.append(event.delta.stop_reason)
        if event.type == "message_stop":
            self.marks.append(event.type)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider(defaults={"stall_ms": 60, "gap_ms": 0.2, "retry_ms": 2}) as running:
        yield running


@pytest.fixture(scope="module")
def sdks(provider: Provider) -> Iterator[tuple[openai.OpenAI, anthropic.Anthropic]]:
    with (
        openai.OpenAI(base_url=provider.base_url(), api_key="k", max_retries=0) as one,
        anthropic.Anthropic(base_url=provider.base_url(api="anthropic"), api_key="k", max_retries=0) as two,
    ):
        yield one, two


def opened(sdks: tuple[Any, Any], api: str, fault: str) -> Any:
    """The call that opens a stream; the same words for sync and async clients."""
    said: dict[str, Any] = {"model": "m", "stream": True, "extra_headers": {"x-streamgauge-fault": fault}}
    options = {"max_retries": int(fault == "rate_limited_then_ok"), "timeout": 0.3 if fault in HANGING else 20.0}
    one, two = (client.with_options(**options) for client in sdks)
    if api == "chat":
        return one.chat.completions.create(messages=PROMPT, **said)
    if api == "responses":
        return one.responses.create(input="Which gauge?", **said)
    return two.messages.create(messages=PROMPT, max_tokens=64, **said)


def check(seen: Seen, log: RequestLog, fault: str, api: str) -> None:
    mark = getattr(ROWS[fault], api)
    assert seen.pieces == PIECES.get((fault, api), ROWS[fault].pieces)
    assert (seen.pieces, seen.characters) == (log.pieces_sent, log.characters_sent)
    if isinstance(mark, type):
        assert isinstance(seen.error, mark), repr(seen.error)
    else:
        assert seen.error is None, repr(seen.error)
        assert "+".join(seen.marks) == (mark or "")
    assert (log.fault, log.api) == (fault, api)
    assert log.ended == expected_end(fault, api)


def expected_end(fault: str, api: str) -> str:
    if fault in HANGING:
        return "client_closed"
    mark = getattr(ROWS[fault], api)
    whole = mark not in (None, "end_turn", "error", "response.failed") and not isinstance(mark, type)
    return "completed" if whole or (fault, api) == ("missing_finish_reason", "chat") else "faulted"


def last_log(provider: Provider) -> RequestLog:
    number = provider.requests[-1].id
    return provider.wait_for(lambda log: log.id == number and bool(log.ended))


def test_every_fault_has_its_row_here() -> None:
    assert list(ROWS) == list(FAULTS)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("fault", ROWS)
def test_sync_sdk_sees_what_the_fault_promises(provider: Provider, sdks: Any, fault: str, api: str) -> None:
    seen = Seen()
    try:
        for chunk in opened(sdks, api, fault):
            getattr(seen, api)(chunk)
    except Exception as error:
        seen.error = error
    check(seen, last_log(provider), fault, api)


@pytest.fixture
async def async_sdks(provider: Provider) -> AsyncIterator[tuple[openai.AsyncOpenAI, anthropic.AsyncAnthropic]]:
    async with (
        openai.AsyncOpenAI(base_url=provider.base_url(), api_key="k", max_retries=0) as one,
        anthropic.AsyncAnthropic(base_url=provider.base_url(api="anthropic"), api_key="k", max_retries=0) as two,
    ):
        yield one, two


@pytest.mark.parametrize("fault", ROWS)
async def test_async_sdk_sees_what_the_fault_promises(provider: Provider, async_sdks: Any, fault: str) -> None:
    for api in APIS:
        seen = Seen()
        try:
            async for chunk in await opened(async_sdks, api, fault):
                getattr(seen, api)(chunk)
        except Exception as error:
            seen.error = error
        check(seen, last_log(provider), fault, api)


@pytest.mark.parametrize("fault", SURVIVABLE)
def test_helpers_assemble_the_final_message_of_every_survivable_stream(
    provider: Provider, sdks: Any, fault: str
) -> None:
    one, two = (client.with_options(max_retries=1) for client in sdks)
    said: dict[str, Any] = {"model": "m", "extra_headers": {"x-streamgauge-fault": fault}}
    with one.chat.completions.stream(messages=PROMPT, **said) as chat:
        completion = chat.get_final_completion()
    with one.responses.stream(input="Which gauge?", **said) as responses:
        response = responses.get_final_response()
    with two.messages.stream(messages=PROMPT, max_tokens=64, **said) as messages:
        message = messages.get_final_message()
    texts = [block.text for block in message.content if block.type == "text"]
    assert response.output_text == "".join(texts) == (completion.choices[0].message.content or "")
    calls = [json.loads(call.function.arguments) for call in completion.choices[0].message.tool_calls or ()]
    assert calls == [block.input for block in message.content if block.type == "tool_use"]
    assert calls == [json.loads(item.arguments) for item in response.output if item.type == "function_call"]


def test_anthropic_helper_raises_where_tool_arguments_stop_being_json(sdks: Any) -> None:
    with (
        pytest.raises(ValueError, match="Unable to parse tool parameter JSON"),
        sdks[1].messages.stream(model="demo-malformed_tool", messages=PROMPT, max_tokens=64) as stream,
    ):
        stream.until_done()


def test_openai_helper_of_a_truncated_response_says_that_it_never_completed(sdks: Any) -> None:
    with (
        sdks[0].responses.stream(model="demo-truncated", input="Which gauge?") as stream,
        pytest.raises(RuntimeError, match="completed"),
    ):
        stream.get_final_response()


def test_anthropic_helper_of_a_truncated_message_returns_what_there_was_without_a_stop_reason(sdks: Any) -> None:
    with sdks[1].messages.stream(model="demo-truncated", messages=PROMPT, max_tokens=64) as stream:
        assert stream.get_final_message().stop_reason is None


@pytest.mark.parametrize("api", APIS)
def test_error_type_of_an_error_inside_the_stream_is_what_the_table_expects(sdks: Any, api: str) -> None:
    expected = FAULTS["error_event"].expected(api)
    found: list[Any] = []
    try:
        for event in opened(sdks, api, "error_event"):
            found += [event.code] if getattr(event, "type", "") == "error" else []
    except openai.APIError as error:
        found = [error.code]
    except anthropic.APIStatusError as error:
        assert error.status_code == 200
        found = [error.type]
    assert found == [expected.error_type]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    "fault", [name for name, row in ROWS.items() if row.pieces == 0 and isinstance(row.chat, type)]
)
def test_http_errors_carry_the_status_and_type_that_the_table_expects(sdks: Any, fault: str, api: str) -> None:
    expected = FAULTS[fault].expected(api)
    with pytest.raises((openai.APIError, anthropic.APIError)) as caught:
        opened(sdks, api, fault)
    assert getattr(caught.value, "status_code", None) == expected.http_status
    said = getattr(caught.value, "code", None) or getattr(caught.value, "type", None) or ""
    assert said == expected.error_type


@pytest.mark.parametrize("api", APIS)
def test_expectations_are_words_of_the_design(api: str) -> None:
    for fault in FAULTS.values():
        expected = fault.expected(api)
        assert expected.outcome in Outcome
        assert set(expected.findings) <= set(Finding)
        assert (expected.outcome is Outcome.FAILED) == (expected.failure_mode is not None)
        assert fault.description
