"""Every way to a stream beside the plain ones: cloud clients, raw responses, legacy and resumed calls, tool runners."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
from anthropic import beta_tool
from openai.lib.bedrock import BedrockOpenAI
from tests.capture.surfaces import PROMPT
from tests.capture.watching import Watch

from streamgauge import names
from streamgauge.demo import Provider
from streamgauge.names import Outcome, Provenance

Maker = Callable[[Provider], Any]
SAID: dict[str, Any] = {"model": "m", "messages": PROMPT}

CLOUDS: dict[str, tuple[Maker, str, str]] = {
    "azure": (
        lambda p: openai.AzureOpenAI(
            azure_endpoint=p.base_url("", "azure"), api_key="k", api_version="2025-01-01", max_retries=0
        ),
        "azure.ai.openai",
        "chat_completions",
    ),
    "bedrock of openai": (
        lambda p: BedrockOpenAI(base_url=p.base_url("", "bedrock_openai"), api_key="k", aws_region="eu-west-1"),
        "aws.bedrock",
        "chat_completions",
    ),
    "bedrock": (
        lambda p: anthropic.AnthropicBedrock(
            base_url=p.base_url("", "bedrock"), aws_access_key="a", aws_secret_key="b", aws_region="r", max_retries=0
        ),
        "aws.bedrock",
        "messages",
    ),
    "vertex": (
        lambda p: anthropic.AnthropicVertex(
            base_url=p.base_url("", "vertex"), access_token="t", region="r", project_id="p", max_retries=0
        ),
        "gcp.vertex_ai",
        "messages",
    ),
    "foundry": (
        lambda p: anthropic.AnthropicFoundry(base_url=p.base_url("", "foundry"), api_key="k", max_retries=0),
        "azure.ai.inference",
        "messages",
    ),
}


@pytest.mark.parametrize("fault,outcome", [("healthy", Outcome.COMPLETED), ("truncated", Outcome.TRUNCATED)])
@pytest.mark.parametrize("cloud", CLOUDS)
def test_client_of_a_cloud_is_observed_under_its_name(
    provider: Provider, gauge: Watch, cloud: str, fault: str, outcome: Outcome
) -> None:
    make, name, api = CLOUDS[cloud]
    said = {**SAID, "model": f"demo-{fault}"}
    with make(provider) as client:
        if api == "messages":
            chunks = list(client.messages.create(max_tokens=9, stream=True, **said))
        else:
            chunks = list(client.chat.completions.create(stream=True, **said))
    report = gauge.one(outcome)
    assert (report.provider, report.api, report.chunks) == (name, api, len(chunks))
    assert report.model == f"demo-{fault}"


# raw and streaming responses


def raw(client: Any, asked: dict[str, Any]) -> Any:
    return client.chat.completions.with_raw_response.create(**asked).parse()


def raw_messages(client: Any, asked: dict[str, Any]) -> Any:
    return client.messages.with_raw_response.create(max_tokens=9, **asked).parse()


def raw_responses(client: Any, _asked: dict[str, Any]) -> Any:
    return client.responses.with_raw_response.create(model="m", input="x", stream=True).parse()


def streaming(client: Any, asked: dict[str, Any]) -> Iterator[Any]:
    with client.chat.completions.with_streaming_response.create(**asked) as response:
        yield from response.parse()


def streaming_messages(client: Any, asked: dict[str, Any]) -> Iterator[Any]:
    with client.messages.with_streaming_response.create(max_tokens=9, **asked) as response:
        yield from response.parse()


def beta_messages(client: Any, asked: dict[str, Any]) -> Any:
    return client.beta.messages.create(max_tokens=9, **asked)


def legacy(client: Any, _asked: dict[str, Any]) -> Any:
    return client.completions.create(model="m", prompt="x", stream=True)


WAYS: dict[str, tuple[str, Callable[[Any, dict[str, Any]], Any]]] = {
    "raw chat": ("openai", raw),
    "raw responses": ("openai", raw_responses),
    "raw messages": ("anthropic", raw_messages),
    "streaming chat": ("openai", streaming),
    "streaming messages": ("anthropic", streaming_messages),
    "beta messages": ("anthropic", beta_messages),
    "legacy completions": ("openai", legacy),
}


@pytest.mark.parametrize("way", WAYS)
def test_way_to_a_stream_is_observed_once(clients: dict[str, Any], gauge: Watch, way: str) -> None:
    sdk, opened = WAYS[way]
    assert len(list(opened(clients[sdk], {**SAID, "stream": True}))) > 10
    report = gauge.one(Outcome.COMPLETED)
    assert report.ttft_s is not None


def test_helper_of_beta_messages_is_observed_once(clients: dict[str, Any], gauge: Watch) -> None:
    with clients["anthropic"].beta.messages.stream(max_tokens=9, **SAID) as stream:
        assert stream.get_final_message().content[0].text
    gauge.one(Outcome.COMPLETED)


def test_helper_of_beta_chat_is_observed_once(clients: dict[str, Any], gauge: Watch) -> None:
    with clients["openai"].beta.chat.completions.stream(**SAID) as stream:
        assert stream.get_final_completion().choices[0].message.content
    gauge.one(Outcome.COMPLETED)


@pytest.mark.parametrize("method", ["text_stream", "get_final_text", "until_done"])
def test_helpers_of_a_message_stream_work_and_are_told(clients: dict[str, Any], gauge: Watch, method: str) -> None:
    with clients["anthropic"].messages.stream(max_tokens=9, **SAID) as stream:
        found = getattr(stream, method)
        text = "".join(found) if method == "text_stream" else found()
        whole = stream.get_final_text()
    assert text in (whole, None)
    assert gauge.one(Outcome.COMPLETED).characters.text == len(whole)


async def test_async_raw_and_streaming_responses_are_observed(async_clients: dict[str, Any], gauge: Watch) -> None:
    asked = {**SAID, "stream": True}
    one, two = async_clients["openai"], async_clients["anthropic"]
    stream = (await one.chat.completions.with_raw_response.create(**asked)).parse()
    assert len([chunk async for chunk in stream]) > 10
    parsed = await (await two.messages.with_raw_response.create(max_tokens=9, **asked)).parse()
    assert len([chunk async for chunk in parsed]) > 10
    async with one.chat.completions.with_streaming_response.create(**asked) as response:
        assert len([chunk async for chunk in await response.parse()]) > 10
    assert [report.outcome for report in gauge.reports] == [Outcome.COMPLETED] * 3


def test_body_that_is_read_by_hand_is_dropped_and_counted(clients: dict[str, Any], gauge: Watch) -> None:
    """Nobody parses it, so nobody knows how it ended: it is not called cancelled."""
    with clients["openai"].chat.completions.with_streaming_response.create(**SAID, stream=True) as response:
        assert b"[DONE]" in b"".join(response.iter_bytes())
    assert gauge.reports == []
    dropped = {p.attributes[names.DROP_REASON]: p.value for p in gauge.points()[names.INTERNAL_DROPS.name]}
    assert dropped["raw_body"] == 1


# resumed streams


def test_resumed_response_is_linked_to_the_stream_that_it_goes_on_with(clients: dict[str, Any], gauge: Watch) -> None:
    client, last = clients["openai"], -1
    stream = client.responses.create(model="m", input="x", stream=True, background=True)
    for event in stream:
        last = event.sequence_number
        if last >= 5:
            break
    stream.close()
    (first,) = gauge.reports
    assert first.outcome is Outcome.DETACHED
    rest = list(client.responses.retrieve(first.response_id, stream=True, starting_after=last))
    assert [event.sequence_number for event in rest] == list(range(last + 1, last + 1 + len(rest)))
    second = gauge.reports[1]
    assert second.outcome is Outcome.COMPLETED
    assert (second.resume_of, second.stream_cursor) == (first.stream_id, str(last))
    assert first.ttft_any_s is not None
    assert second.characters.text > 0
    assert (second.ttft_s, second.ttft_any_s, second.ttft_attempt_s) == (None, None, None)
    samples = gauge.points()[names.TTFT_SECONDS.name]
    assert sum(point.count for point in samples if point.attributes[names.KIND] == "any") == 1
    one, two = gauge.stream_spans
    assert [link.context.span_id for link in two.links] == [one.context.span_id]
    assert two.attributes[names.REQUEST_STREAM_CURSOR] == str(last)
    assert names.State.RECOVERED in second.state_times_s


def test_helper_that_resumes_by_id_is_observed(clients: dict[str, Any], gauge: Watch) -> None:
    client = clients["openai"]
    made = list(client.responses.create(model="m", input="x", stream=True, background=True))
    with client.responses.stream(response_id=made[0].response.id, starting_after=3) as stream:
        assert len(list(stream)) == len(made) - 4
    assert [report.outcome for report in gauge.reports] == [Outcome.COMPLETED] * 2
    assert gauge.reports[1].resume_of == gauge.reports[0].stream_id


# tool runners


@beta_tool
def get_weather(city: str, days: int = 1, units: str = "metric") -> str:
    """Tell the weather.

    Args:
        city: where
        days: for how long
        units: in what
    """
    return f"{city} {days} {units}: fine"


@pytest.mark.parametrize("eager", [False, True])
def test_tool_runner_of_anthropic_is_one_stream_per_request(
    provider: Provider, clients: dict[str, Any], gauge: Watch, eager: bool
) -> None:
    call = {"name": "get_weather", "arguments": {"city": "Chur"}}
    headers = {"x-streamgauge-script": json.dumps({"tools": [call], "pieces": 2})}
    runner = clients["anthropic"].beta.messages.tool_runner(
        **SAID,
        max_tokens=9,
        tools=[get_weather],
        stream=True,
        max_iterations=2,
        run_tools_eagerly=eager,
        extra_headers=headers,
    )
    before = len(provider.requests)
    finals = [stream.get_final_message() for stream in runner]
    assert len(finals) == 2
    assert len(provider.requests) - before == len(gauge.reports) == 2
    assert [report.outcome for report in gauge.reports] == [Outcome.COMPLETED] * 2
    for report in gauge.reports:
        (tool,) = report.tool_calls
        assert (tool.name, tool.complete, tool.well_formed) == ("get_weather", True, True)


# what is told


def test_usage_says_where_it_comes_from(clients: dict[str, Any], gauge: Watch) -> None:
    client = clients["openai"]
    list(client.chat.completions.create(**SAID, stream=True, stream_options={"include_usage": True}))
    list(client.chat.completions.create(**SAID, stream=True))
    list(clients["anthropic"].messages.create(max_tokens=9, stream=True, **{**SAID, "model": "demo-truncated"}))
    whole, none, part = (report.usage for report in gauge.reports)
    assert whole.provenance is Provenance.REPORTED
    assert whole.output_tokens
    assert (none.provenance, none.input_tokens, none.output_tokens) == (Provenance.UNKNOWN, None, None)
    assert (part.provenance, part.output_tokens) == (Provenance.PARTIAL, None)
    assert part.input_tokens


def test_several_choices_are_complete_when_each_has_its_end(clients: dict[str, Any], gauge: Watch) -> None:
    list(clients["openai"].chat.completions.create(**SAID, stream=True, n=3))
    report = gauge.one(Outcome.COMPLETED)
    assert report.finish_reasons == ("stop",) * 3
    assert gauge.stream_spans[0].attributes[names.CHOICES] == 3
