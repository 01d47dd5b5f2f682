"""Runs in the environment of the frameworks that go with the newest SDKs: each streams bare and observed."""

# What this imports is installed in its own environment only.
# mypy: ignore-errors

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import agents
import anthropic
import openai
from frameworks import compared
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from openai.lib.responses_tool_runner import RegisteredFunction, ResponsesToolRunner
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider


def langchain_openai(url: str, **more: Any) -> Iterator[str]:
    model = ChatOpenAI(model="demo-healthy", base_url=f"{url}/v1", api_key="k", max_retries=0, **more)
    return (str(chunk.content) for chunk in model.stream("Which gauge?"))


def langchain_openai_responses(url: str) -> Iterator[str]:
    return langchain_openai(url, use_responses_api=True)


async def langchain_openai_async(url: str) -> AsyncIterator[str]:
    model = ChatOpenAI(model="demo-healthy", base_url=f"{url}/v1", api_key="k", max_retries=0)
    async for chunk in model.astream("Which gauge?"):
        yield str(chunk.content)


def langchain_anthropic(url: str) -> Iterator[str]:
    model = ChatAnthropic(model="demo-healthy", base_url=url, api_key="k", max_retries=0)
    return (str(chunk.content) for chunk in model.stream("Which gauge?"))


async def langchain_anthropic_async(url: str) -> AsyncIterator[str]:
    model = ChatAnthropic(model="demo-healthy", base_url=url, api_key="k", max_retries=0)
    async for chunk in model.astream("Which gauge?"):
        yield str(chunk.content)


async def _agents(url: str, model: type[Any]) -> AsyncIterator[str]:
    agents.set_tracing_disabled(True)
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)
    agent = agents.Agent(name="gauge", model=model(model="demo-healthy", openai_client=client))
    run = agents.Runner.run_streamed(agent, "Which gauge?")
    async for event in run.stream_events():
        yield event.type
    yield str(run.final_output)
    await client.close()


def agents_chat(url: str) -> AsyncIterator[str]:
    return _agents(url, agents.OpenAIChatCompletionsModel)


def agents_responses(url: str) -> AsyncIterator[str]:
    return _agents(url, agents.OpenAIResponsesModel)


async def _pydantic(model: Any) -> AsyncIterator[str]:
    async with Agent(model).run_stream("Which gauge?") as result:
        async for piece in result.stream_text(delta=True, debounce_by=None):
            yield piece


def pydantic_chat(url: str) -> AsyncIterator[str]:
    return _pydantic(OpenAIChatModel("demo-healthy", provider=OpenAIProvider(base_url=f"{url}/v1", api_key="k")))


def pydantic_responses(url: str) -> AsyncIterator[str]:
    return _pydantic(OpenAIResponsesModel("demo-healthy", provider=OpenAIProvider(base_url=f"{url}/v1", api_key="k")))


def pydantic_anthropic(url: str) -> AsyncIterator[str]:
    client = anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0)
    return _pydantic(AnthropicModel("demo-healthy", provider=AnthropicProvider(anthropic_client=client)))


def get_weather(city: str, days: int, units: str) -> str:
    """The weather of a city.

    Args:
        city: where.
        days: how many.
        units: metric or not.
    """
    return f"fair in {city} for {days} days, {units}"


def anthropic_tool_runner(url: str) -> Iterator[str]:
    client = anthropic.Anthropic(base_url=url, api_key="k", max_retries=0)
    runner = client.beta.messages.tool_runner(
        model="demo-tools",
        max_tokens=64,
        tools=[anthropic.beta_tool(get_weather)],
        messages=[{"role": "user", "content": "What is the weather?"}],
        stream=True,
        max_iterations=2,
    )
    for stream in runner:
        for event in stream:
            yield event.type
        yield stream.get_final_message().stop_reason or ""


def openai_tool_runner(url: str) -> Iterator[str]:
    names = ("get_weather", "book_train")
    parameters = {"type": "object", "properties": {}, "additionalProperties": True}
    functions = [
        RegisteredFunction(
            tool={"type": "function", "name": name, "parameters": parameters, "strict": False},
            execute=lambda arguments: json.dumps(arguments),
        )
        for name in names
    ]
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)
    params: Any = {"model": "demo-tools", "input": "What is the weather?"}
    seen: list[str] = []
    try:
        ResponsesToolRunner(functions=functions).run(
            client, params, stream=True, max_steps=2, on_event=lambda event: seen.append(event.type)
        )
    except Exception as error:
        seen.append(f"{type(error).__qualname__}: {error}")
    return iter(seen)


WAYS = (
    langchain_openai,
    langchain_openai_responses,
    langchain_openai_async,
    langchain_anthropic,
    langchain_anthropic_async,
    agents_chat,
    agents_responses,
    pydantic_chat,
    pydantic_responses,
    pydantic_anthropic,
    anthropic_tool_runner,
    openai_tool_runner,
)

if __name__ == "__main__":
    print(json.dumps(asyncio.run(compared(sys.argv[1], WAYS))))
