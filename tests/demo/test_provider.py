"""The provider as a server: who chooses the fault, what is logged, how it notices who leaves, how it stops."""

import asyncio
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from streamgauge.demo import FAULTS, Provider, closed_port
from streamgauge.errors import ConfigError

PROMPT: list[Any] = [{"role": "user", "content": "Which gauge?"}]
CHAT = {"model": "m", "stream": True, "messages": PROMPT}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(defaults={"stall_ms": 60, "gap_ms": 0.2, "retry_ms": 2}) as running:
        yield running


@pytest.fixture
def client(provider: Provider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=provider.base_url(), api_key="k", max_retries=0) as sdk:
        yield sdk


def post(url: str, body: dict[str, Any], **headers: str) -> httpx2.Response:
    return httpx2.post(url, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def pieces(response: httpx2.Response) -> list[str]:
    lines = [line.removeprefix("data: ") for line in response.text.split("\n") if line.startswith("data: {")]
    deltas = [choice["delta"] for line in lines for choice in json.loads(line)["choices"]]
    return [delta["content"] for delta in deltas if delta.get("content")]


# --- which fault, which script


@pytest.mark.parametrize(
    ("path", "model", "headers", "fault"),
    [
        ("/v1", "m", {}, "incomplete"),
        ("/v1", "demo-refusal", {}, "refusal"),
        ("/v1", "empty", {}, "empty"),
        ("/v1", "demo-slow-first-token", {}, "slow_first_token"),
        ("/fault/any/v1", "demo-refusal", {}, "refusal"),
        ("/fault/tools/v1", "demo-refusal", {}, "tools"),
        ("/fault/tools/v1", "demo-refusal", {"x_streamgauge_fault": "reasoning"}, "reasoning"),
    ],
)
def test_header_comes_before_path_before_model_before_default(path: str, model: str, headers: Any, fault: str) -> None:
    with Provider(fault="incomplete") as provider:
        post(f"{provider.url}{path}/chat/completions", {**CHAT, "model": model}, **headers)
        assert provider.requests[-1].fault == fault


def test_script_comes_by_path_by_query_and_by_header(provider: Provider) -> None:
    path = f"{provider.base_url('healthy', pieces=3)}/chat/completions"
    assert len(pieces(post(path, CHAT))) == 3
    assert len(pieces(post(f"{path}?pieces=4&api-version=1", CHAT))) == 4
    assert pieces(post(path, CHAT, x_streamgauge_script='{"pieces": 2, "text": "one two."}')) == ["one ", "two."]


def test_fault_strikes_after_as_many_pieces_as_asked(provider: Provider) -> None:
    for at in (0, 5, 12):
        answer = post(f"{provider.base_url('truncated', at=at)}/chat/completions", CHAT)
        assert len(pieces(answer)) == at
        assert 'finish_reason":"' not in answer.text


def test_same_seed_same_text_and_another_seed_another_text(provider: Provider) -> None:
    said = [pieces(post(f"{provider.base_url(seed=seed)}/chat/completions", CHAT)) for seed in (1, 1, 2)]
    assert said[0] == said[1] != said[2]


@pytest.mark.parametrize(
    ("path", "headers", "says"),
    [
        ("/v1", {"x_streamgauge_fault": "nope"}, "slow_first_token"),
        ("/fault/nope/v1", {}, "slow_first_token"),
        ("/fault/stall;speed=1/v1", {}, "gap_ms"),
        ("/v1", {"x_streamgauge_script": "[1]"}, "JSON object"),
        ("/v1", {"x_streamgauge_script": '{"pieces": -1}'}, "whole number"),
        ("/v1", {"x_streamgauge_script": '{"finish": "maybe"}'}, "content_filter"),
        ("/v1", {"x_streamgauge_script": '{"tools": [{"arguments": {}}]}'}, "name"),
    ],
)
def test_wrong_wish_is_a_400_that_says_what_exists(provider: Provider, path: str, headers: Any, says: str) -> None:
    answer = post(f"{provider.url}{path}/chat/completions", CHAT, **headers)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "wrong", [{"fault": "nope"}, {"mix": {"nope": 1}}, {"mix": {"stall": -1}}, {"defaults": {"pieces": "many"}}]
)
def test_wrong_provider_is_a_config_error(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="expected"):
        Provider(**wrong)


def test_base_url_refuses_what_does_not_exist(provider: Provider) -> None:
    for wrong in ({"fault": "nope"}, {"api": "nope"}, {"nope": 1}):
        with pytest.raises(ConfigError, match="expected one of"):
            provider.base_url(**wrong)


def test_mix_is_drawn_by_weight_and_repeats_with_its_seed() -> None:
    def drawn(seed: int) -> list[str]:
        with Provider(mix={"empty": 3, "bad_request": 1, "stall": 0}, seed=seed) as provider, httpx2.Client() as http:
            for _ in range(40):
                http.post(f"{provider.url}/v1/chat/completions", json=CHAT)
            return [log.fault for log in provider.requests]

    first = drawn(7)
    assert first == drawn(7)
    assert 20 <= Counter(first)["empty"] < 40
    assert "stall" not in first


def test_own_tools_and_texts_are_played_as_given(provider: Provider, client: openai.OpenAI) -> None:
    wish = {"text": "Grüße.", "pieces": 2, "tools": [{"name": "look", "arguments": {"at": "é"}}], "tool_pieces": 3}
    headers = {"x-streamgauge-script": json.dumps(wish)}
    said = client.chat.completions.create(model="m", messages=PROMPT, extra_headers=headers)
    call = said.choices[0].message.tool_calls[0]  # type: ignore[index]
    assert (said.choices[0].message.content, call.function.name) == ("Grüße.", "look")  # type: ignore[union-attr]
    assert json.loads(call.function.arguments) == {"at": "é"}  # type: ignore[union-attr]


def test_request_for_several_choices_gets_them(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="m", messages=PROMPT, n=2, stream=True)
    assert {choice.index for chunk in stream for choice in chunk.choices} == {0, 1}


# --- retries


def test_retry_after_429_succeeds_and_attempts_are_logged(provider: Provider, client: openai.OpenAI) -> None:
    with client.with_options(max_retries=2).chat.completions.create(
        **CHAT, extra_headers={"x-streamgauge-fault": "rate_limited_then_ok"}
    ) as stream:  # type: ignore[call-overload]
        assert stream.response.request.headers["x-stainless-retry-count"] == "1"
        assert len(list(stream)) == 14
    assert [(log.retry_count, log.status, log.ended) for log in provider.requests] == [
        (0, 429, "faulted"),
        (1, 200, "completed"),
    ]


def test_client_that_does_not_count_its_attempts_is_let_in_the_second_time(provider: Provider) -> None:
    url = f"{provider.base_url('rate_limited_then_ok')}/chat/completions"
    answers = [post(url, CHAT) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 200, 429, 200]
    assert answers[0].headers["retry-after-ms"] == "2"


# --- who leaves, and when


@pytest.mark.parametrize("fault", ["stall_forever", "pings_only"])
def test_client_that_closes_a_stalled_stream_is_noticed(provider: Provider, client: openai.OpenAI, fault: str) -> None:
    headers = {"x-streamgauge-fault": fault, "x-streamgauge-script": '{"stall_ms": 60000}'}
    stream = client.chat.completions.create(**CHAT, extra_headers=headers)  # type: ignore[call-overload]
    for _ in range(7):
        next(stream)
    stream.close()
    log = provider.wait_for(lambda log: bool(log.ended))
    assert (log.ended, log.pieces_sent, log.terminal) == ("client_closed", 6, False)
    assert log.client_closed_ns is not None
    assert (
        log.client_closed_ns
        >= (log.last_piece_ns or 0)
        >= (log.first_piece_ns or 0)
        >= (log.first_byte_ns or 0)
        > log.started_ns
    )


async def test_cancelled_task_closes_the_upstream(provider: Provider) -> None:
    started = asyncio.Event()

    async def read() -> None:
        async with anthropic.AsyncAnthropic(
            base_url=provider.base_url("stall_forever", "anthropic"), api_key="k"
        ) as sdk:
            async for _ in await sdk.messages.create(model="m", max_tokens=9, messages=PROMPT, stream=True):
                started.set()

    task = asyncio.create_task(read())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    log = await asyncio.to_thread(provider.wait_for, lambda log: bool(log.ended))
    assert log.ended == "client_closed"


def test_client_that_leaves_before_any_answer_is_noticed(provider: Provider) -> None:
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(f"{provider.base_url('header_timeout')}/chat/completions", json=CHAT, timeout=0.5)
    log = provider.wait_for(lambda log: bool(log.ended))
    assert (log.ended, log.status, log.first_byte_ns) == ("client_closed", None, None)


def test_wait_for_says_what_it_saw_when_time_is_up(provider: Provider) -> None:
    post(f"{provider.url}/v1/chat/completions", CHAT)
    with pytest.raises(TimeoutError, match="healthy"):
        provider.wait_for(lambda log: log.fault == "stall", timeout=0.02)


# --- HTTP


def test_one_connection_serves_one_request_after_the_other(provider: Provider) -> None:
    body = json.dumps({**CHAT, "stream": False}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", provider.port)) as line:
        line.sendall(head + body[:20])
        line.sendall(body[20:] + head + body + b"GET /health HTTP/1.1\r\nconnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert [log.path for log in provider.requests] == ["/v1/chat/completions"] * 2 + ["/health"]


def test_sdk_reuses_its_connection_after_a_whole_stream(provider: Provider) -> None:
    with httpx2.Client() as http:
        for _ in range(2):
            with http.stream("POST", f"{provider.url}/v1/chat/completions", json=CHAT) as answer:
                network = answer.extensions["network_stream"].get_extra_info("client_addr")
                answer.read()
        with http.stream("POST", f"{provider.url}/v1/chat/completions", json=CHAT) as answer:
            assert answer.extensions["network_stream"].get_extra_info("client_addr") == network


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"NONSENSE\r\n\r\n", b"request line"),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", b"content-length"),
        (b"POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n", b"not a number"),
        (b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 70_000, b"64 KiB"),
    ],
)
def test_bytes_that_are_no_request_get_a_400_that_says_why(provider: Provider, sent: bytes, says: bytes) -> None:
    with socket.create_connection(("127.0.0.1", provider.port)) as line:
        line.sendall(sent)
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400")
    assert says in answer


def test_unknown_endpoint_is_a_404_that_names_it(provider: Provider, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="POST /v1/embeddings"):
        client.embeddings.create(model="m", input="x")


def test_models_and_health_answer(provider: Provider, client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {f"demo-{name}" for name in FAULTS}
    with anthropic.Anthropic(base_url=provider.base_url(api="anthropic"), api_key="k") as sdk:
        assert len(sdk.models.list().data) == len(FAULTS)
    assert httpx2.get(f"{provider.url}/health").json()["status"] == "ok"


def test_nobody_listens_on_the_closed_port() -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", closed_port()))


# --- many at once, and the end


async def test_hundreds_of_streams_at_once_all_complete(provider: Provider) -> None:
    body = json.dumps(CHAT).encode()
    target = "/fault/any;pieces=30;gap_ms=2/v1/chat/completions"
    head = f"POST {target} HTTP/1.1\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"

    async def read() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
        writer.write(head.encode() + body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    answers = await asyncio.gather(*(read() for _ in range(300)))
    assert all(answer.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n") for answer in answers)
    assert Counter((log.ended, log.pieces_sent) for log in provider.requests) == {("completed", 30): 300}


def test_closing_breaks_off_open_streams_and_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with Provider(fault="stall_forever") as provider, openai.OpenAI(base_url=provider.base_url(), api_key="k") as sdk:
        stream = sdk.chat.completions.create(**CHAT)  # type: ignore[call-overload]
        next(stream)
        provider.close()
        with pytest.raises(openai.APIConnectionError):
            list(stream)
        assert provider.requests[0].ended == "provider_closed"
        assert set(threading.enumerate()) <= before
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", provider.port))
        provider.close()


def test_taken_port_is_a_config_error(provider: Provider) -> None:
    with pytest.raises(ConfigError, match="a free port"):
        Provider(provider.port).start()
