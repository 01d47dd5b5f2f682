"""The bytes on the wire: valid by the SDKs' own types, on every platform's paths, broken where they should be."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from streamgauge.demo import Provider

PROMPT: list[Any] = [{"role": "user", "content": "Which gauge?"}]
BODIES: dict[str, dict[str, Any]] = {
    "/chat/completions": {"messages": PROMPT, "stream_options": {"include_usage": True}},
    "/completions": {"prompt": "Which gauge?", "stream_options": {"include_usage": True}},
    "/responses": {"input": "Which gauge?"},
    "/messages": {"messages": PROMPT, "max_tokens": 64},
}
EVENTS: dict[str, TypeAdapter[Any]] = {
    "/chat/completions": TypeAdapter(ChatCompletionChunk),
    "/completions": TypeAdapter(Completion),
    "/responses": TypeAdapter(ResponseStreamEvent),
    "/messages": TypeAdapter(RawMessageStreamEvent),
}
WHOLES: dict[str, TypeAdapter[Any]] = {
    "/chat/completions": TypeAdapter(ChatCompletion),
    "/completions": TypeAdapter(Completion),
    "/responses": TypeAdapter(Response),
    "/messages": TypeAdapter(Message),
}
WELL_FORMED = [
    "healthy",
    "reasoning_and_tools",
    "several_choices",
    "refusal",
    "incomplete",
    "content_filter_start",
    "empty",
    "late_usage",
]


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider(defaults={"stall_ms": 30, "gap_ms": 0.2, "retry_ms": 2}) as running:
        yield running


def wire(provider: Provider, path: str, fault: str, **fields: Any) -> httpx2.Response:
    body = {"model": "m", "stream": True, **BODIES[path], **fields}
    return httpx2.post(f"{provider.base_url(fault)}{path}", json=body)


def events(answer: httpx2.Response) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in answer.text.split("\n") if line.startswith("data: {")]


def finished(event: dict[str, Any]) -> dict[str, Any]:
    """A legacy completion chunk with a finish reason: the API sends null until the end, the SDK's type forgets that."""
    choices = [{**choice, "finish_reason": choice["finish_reason"] or "stop"} for choice in event["choices"]]
    return {**event, "choices": choices}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("fault", WELL_FORMED)
def test_every_event_is_valid_by_the_types_of_the_sdk(provider: Provider, fault: str, path: str) -> None:
    answer = wire(provider, path, fault)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    for event in events(answer):
        if event.get("type") != "ping":
            EVENTS[path].validate_python(finished(event) if path == "/completions" else event)
        if "type" in event:
            assert f"event: {event['type']}\ndata: " in answer.text


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("fault", WELL_FORMED)
def test_answer_that_does_not_stream_is_valid_by_the_types_of_the_sdk(
    provider: Provider, fault: str, path: str
) -> None:
    answer = wire(provider, path, fault, stream=False)
    assert WHOLES[path].validate_python(answer.json()).id == provider.requests[-1].response_id


@pytest.mark.parametrize("path", BODIES)
def test_response_id_is_the_same_on_the_wire_and_in_the_log(provider: Provider, path: str) -> None:
    answer = wire(provider, path, "healthy")
    assert f'"{provider.requests[-1].response_id}"' in answer.text


def test_responses_are_numbered_without_a_hole(provider: Provider) -> None:
    for fault in ("reasoning_and_tools", "error_event", "response_failed", "unknown_event"):
        numbers = [event["sequence_number"] for event in events(wire(provider, "/responses", fault))]
        assert numbers == list(range(len(numbers))), fault


def test_duplicates_of_response_events_keep_their_number(provider: Provider) -> None:
    found = events(wire(provider, "/responses", "duplicate_chunk"))
    twins = [one for one, two in pairwise(found) if one == two]
    assert [twin["type"] for twin in twins] == ["response.output_text.delta"] * 12


def test_responses_begin_and_end_in_the_order_of_the_api(provider: Provider) -> None:
    found = [event["type"] for event in events(wire(provider, "/responses", "reasoning_and_tools"))]
    order = [kind for place, kind in enumerate(found) if place == 0 or found[place - 1] != kind]
    thought = ["part.added", "text.delta", "text.done", "part.done"]
    said = ["content_part.added", "output_text.delta", "output_text.done", "content_part.done"]
    called = ["function_call_arguments.delta", "function_call_arguments.done"]
    inside = [[f"reasoning_summary_{kind}" for kind in thought], said, called, called]
    items = [kind for item in inside for kind in ("output_item.added", *item, "output_item.done")]
    assert order == [f"response.{kind}" for kind in ("created", "in_progress", *items, "completed")]


def test_failed_response_shows_what_was_finished_before(provider: Provider) -> None:
    url = f"{provider.base_url('response_failed', at=9, reasoning=8)}/responses"
    last = events(httpx2.post(url, json={"model": "m", "input": "x", "stream": True}))[-1]["response"]
    assert (last["status"], last["error"]["code"]) == ("failed", "server_error")
    assert [item["type"] for item in last["output"]] == ["reasoning"]


def test_usage_adds_up_and_comes_only_when_asked_for(provider: Provider) -> None:
    asked = events(wire(provider, "/chat/completions", "reasoning"))
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"]["completion_tokens"] == 20
    assert asked[-1]["usage"]["completion_tokens_details"]["reasoning_tokens"] == 8
    silent = events(wire(provider, "/chat/completions", "reasoning", stream_options=None))
    assert not any(event.get("usage") for event in silent)
    assert not any(event.get("usage") for event in events(wire(provider, "/chat/completions", "usage_missing")))
    assert events(wire(provider, "/responses", "reasoning"))[-1]["response"]["usage"]["output_tokens"] == 20


def test_anthropic_counts_output_only_at_the_end(provider: Provider) -> None:
    found = events(wire(provider, "/messages", "reasoning"))
    assert found[0]["message"]["usage"]["output_tokens"] == 1
    assert [event["usage"]["output_tokens"] for event in found if event["type"] == "message_delta"] == [20]
    assert [event["type"] for event in found].count("ping") == 1


@pytest.mark.parametrize("path", BODIES)
def test_polite_truncation_is_a_whole_http_body_and_a_cut_is_not(provider: Provider, path: str) -> None:
    text = wire(provider, path, "truncated").text
    assert text.endswith("\n\n")
    assert not re.search(r"\[DONE\]|response\.completed|message_stop", text)
    assert not wire(provider, path, "truncated_frame").text.endswith("\n")
    with pytest.raises(httpx2.RemoteProtocolError, match="incomplete chunked read"):
        wire(provider, path, "cut_chunked")


def test_missing_done_lacks_only_the_last_marker(provider: Provider) -> None:
    chat = wire(provider, "/chat/completions", "missing_done").text
    assert '"finish_reason":"stop"' in chat
    assert "[DONE]" not in chat
    messages = wire(provider, "/messages", "missing_done").text
    assert '"stop_reason":"end_turn"' in messages
    assert "message_stop" not in messages


def test_missing_finish_reason_has_done(provider: Provider) -> None:
    text = wire(provider, "/chat/completions", "missing_finish_reason").text
    assert text.endswith("data: [DONE]\n\n")
    assert '"finish_reason":"' not in text


def test_dribbled_bytes_arrive_one_by_one_and_add_up_to_the_same_stream(provider: Provider) -> None:
    body = {"model": "m", "stream": True, **BODIES["/messages"]}
    with httpx2.stream("POST", f"{provider.base_url('slow_dribble')}/messages", json=body) as answer:
        parts = list(answer.iter_raw())
    assert len(parts) > 500
    whole = b"".join(parts).decode()
    assert whole.count("content_block_delta") == 2 * provider.requests[-1].pieces_sent


def test_keep_alives_are_comments_for_openai_and_pings_for_anthropic(provider: Provider) -> None:
    assert wire(provider, "/chat/completions", "pings_only").text.count(": keep-alive\n\n") == 10
    assert [event["type"] for event in events(wire(provider, "/messages", "pings_only"))].count("ping") == 11


def test_gateway_leaves_out_ids_and_sends_comments_and_empty_choices(provider: Provider) -> None:
    answer = wire(provider, "/chat/completions", "gateway")
    assert ": STREAMGAUGE PROCESSING\n\n" in answer.text
    assert not any("id" in event for event in events(answer))
    assert events(answer)[0]["choices"] == []


def test_loop_repeats_one_sentence(provider: Provider) -> None:
    found = events(wire(provider, "/chat/completions", "loop"))
    text = "".join(choice["delta"].get("content") or "" for event in found for choice in event["choices"])
    sentence = text[: text.index(".") + 2]
    assert text.count(sentence) >= 15


def test_healthy_text_does_not_repeat_itself(provider: Provider) -> None:
    url = f"{provider.base_url(pieces=400)}/chat/completions"
    found = events(httpx2.post(url, json={"model": "m", "stream": True, "messages": PROMPT}))
    text = "".join(choice["delta"].get("content") or "" for event in found for choice in event["choices"])
    windows = [text[start : start + 40] for start in range(len(text) - 40)]
    assert len(set(windows)) == len(windows)


def test_http_errors_of_bedrock_are_named_in_a_header(provider: Provider) -> None:
    url = f"{provider.base_url('rate_limited', 'bedrock')}/model/claude/invoke"
    answer = httpx2.post(url, json={"messages": PROMPT})
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (429, "ThrottlingException")


# --- background responses


@pytest.fixture
def slow(provider: Provider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=provider.base_url(pieces=30, gap_ms=10), api_key="k") as sdk:
        yield sdk


def test_background_response_goes_on_without_its_reader_and_is_resumed_byte_exact(
    provider: Provider, slow: openai.OpenAI
) -> None:
    first = slow.responses.create(model="m", input="x", stream=True, background=True)
    read = [next(first) for _ in range(8)]
    first.close()
    rid = provider.requests[-1].response_id
    assert slow.responses.retrieve(rid).status == "in_progress"
    with slow.responses.retrieve(rid, stream=True, starting_after=read[-1].sequence_number) as rest:
        read += list(rest)
    assert [event.sequence_number for event in read] == list(range(38))
    assert read[-1].type == "response.completed"
    assert slow.responses.retrieve(rid).output_text == read[-1].response.output_text
    with slow.responses.stream(response_id=rid, starting_after=5) as helper:
        assert helper.get_final_response().status == "completed"


def test_background_response_is_cancelled(slow: openai.OpenAI) -> None:
    stream = slow.responses.create(model="m", input="x", stream=True, background=True)
    rid = next(stream).response.id  # type: ignore[union-attr]
    assert slow.responses.cancel(rid).status == "cancelled"
    assert not [event for event in stream if event.type == "response.completed"]
    assert slow.responses.retrieve(rid).status == "cancelled"


def test_reset_of_a_background_response_is_not_met_again_on_resuming(provider: Provider) -> None:
    with openai.OpenAI(base_url=provider.base_url("reset"), api_key="k", max_retries=0) as sdk:
        read: list[Any] = []
        with pytest.raises(openai.APIConnectionError):
            for event in sdk.responses.create(model="m", input="x", stream=True, background=True):
                read.append(event)  # noqa: PERF402 - what came before the reset counts
        rid = provider.requests[-1].response_id
        read += list(sdk.responses.retrieve(rid, stream=True, starting_after=read[-1].sequence_number))
    assert [event.sequence_number for event in read] == list(range(20))


def test_unknown_response_is_not_found(slow: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="resp_nope"):
        slow.responses.retrieve("resp_nope")


# --- platforms


def test_azure_client_gets_its_filter_results_first(provider: Provider) -> None:
    address = provider.base_url("tools", "azure")
    with openai.AzureOpenAI(azure_endpoint=address, api_key="k", api_version="2025-01-01") as sdk:
        chunks = list(sdk.chat.completions.create(model="dep", messages=PROMPT, stream=True))
        assert chunks[0].choices == []
        assert "prompt_filter_results" in chunks[0].to_dict()
        log = provider.requests[-1]
        assert (log.platform, log.model, log.api) == ("azure", "dep", "chat")
        assert [event.type for event in sdk.responses.create(model="dep", input="x", stream=True)][
            -1
        ] == "response.completed"


def test_bedrock_client_of_openai_streams(provider: Provider) -> None:
    pytest.importorskip("botocore", reason="the Bedrock client needs botocore")
    from openai.lib.bedrock import BedrockOpenAI

    with BedrockOpenAI(
        base_url=provider.base_url("tools", "bedrock_openai"), api_key="k", aws_region="eu-west-1"
    ) as sdk:
        assert len(list(sdk.chat.completions.create(model="m", messages=PROMPT, stream=True))) == 18
        assert [event.type for event in sdk.responses.create(model="m", input="x", stream=True)][
            -1
        ] == "response.completed"
    assert provider.requests[-1].path.endswith("/openai/v1/responses")


def anthropic_clients(provider: Provider, fault: str) -> dict[str, Any]:
    bedrock = {"aws_access_key": "a", "aws_secret_key": "b", "aws_region": "eu-west-1", "max_retries": 0}
    vertex = {"access_token": "t", "region": "r", "project_id": "p", "max_retries": 0}
    made = {
        "bedrock": (anthropic.AnthropicBedrock, anthropic.AsyncAnthropicBedrock, bedrock),
        "vertex": (anthropic.AnthropicVertex, anthropic.AsyncAnthropicVertex, vertex),
        "foundry": (anthropic.AnthropicFoundry, anthropic.AsyncAnthropicFoundry, {"api_key": "k", "max_retries": 0}),
    }
    return {
        name: [kind(base_url=provider.base_url(fault, name), **options) for kind in kinds]
        for name, (*kinds, options) in made.items()
    }


@pytest.mark.parametrize("platform", ["bedrock", "vertex", "foundry"])
async def test_platform_clients_of_anthropic_get_the_whole_message(provider: Provider, platform: str) -> None:
    if platform == "bedrock":
        pytest.importorskip("botocore", reason="the Bedrock client needs botocore")
    sync, asynchronous = anthropic_clients(provider, "reasoning_and_tools")[platform]
    said: dict[str, Any] = {"model": "claude", "max_tokens": 64, "messages": PROMPT}
    with sync, sync.messages.stream(**said) as stream:
        message = stream.get_final_message()
        assert sync.messages.create(**said).stop_reason == message.stop_reason
    async with asynchronous, asynchronous.messages.stream(**said) as stream:
        again = await stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert again.content[1] == message.content[1]
    assert (message.stop_reason, message.usage.output_tokens) == ("tool_use", 22)
    log = provider.requests[-1]
    assert (log.platform, log.model, log.api, log.streamed) == (platform, "claude", "messages", True)


@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        ("slow_dribble", "end_turn"),
        ("gateway", "end_turn"),
        ("unknown_event", "end_turn"),
        ("pings_only", "end_turn"),
        ("truncated", None),
        ("truncated_frame", None),
        ("garbage", json.JSONDecodeError),
        ("reset", httpx2.ReadError),
        ("error_event", anthropic.APIStatusError),
        ("rate_limited", anthropic.RateLimitError),
    ],
)
def test_faults_reach_through_the_event_stream_of_bedrock(provider: Provider, fault: str, ends: Any) -> None:
    pytest.importorskip("botocore", reason="the Bedrock client needs botocore")
    said: dict[str, Any] = {"model": "claude", "max_tokens": 64, "messages": PROMPT}
    sdk = anthropic_clients(provider, fault)["bedrock"][0]
    with sdk:
        try:
            with sdk.messages.stream(**said) as stream:
                found = stream.get_final_message().stop_reason
        except Exception as error:
            assert isinstance(ends, type)
            assert isinstance(error, ends), repr(error)
            assert getattr(error, "type", None) or fault != "error_event"
            if fault == "error_event":
                assert error.type == provider.requests[-1].expected.error_type  # type: ignore[attr-defined]
        else:
            assert found == ends
