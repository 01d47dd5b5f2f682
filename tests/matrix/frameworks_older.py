"""Runs in the environment of the frameworks that do not go with the newest SDKs: each streams bare and observed."""

# What this imports is installed in its own environment only.
# mypy: ignore-errors

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it looks for prices on the network

import instructor
import litellm
import openai
from frameworks import compared
from pydantic import BaseModel

import streamgauge

PROMPT: list[Any] = [{"role": "user", "content": "Which gauge?"}]


TEXT = {"x-streamgauge-script": json.dumps({"text": '{"text": "hello there, gauge"}', "pieces": 4})}


class Answer(BaseModel):
    """What instructor is to make of the stream."""

    text: str = ""


def litellm_openai(url: str) -> Iterator[str]:
    chunks = litellm.completion(
        "openai/demo-healthy", messages=PROMPT, stream=True, api_base=f"{url}/v1", api_key="k", num_retries=0
    )
    return (chunk.choices[0].delta.content or "" for chunk in chunks)


async def litellm_openai_async(url: str) -> AsyncIterator[str]:
    chunks = await litellm.acompletion(
        "openai/demo-healthy", messages=PROMPT, stream=True, api_base=f"{url}/v1", api_key="k", num_retries=0
    )
    async for chunk in chunks:
        yield chunk.choices[0].delta.content or ""


def _litellm_anthropic(url: str) -> Any:
    return litellm.completion(
        "anthropic/demo-healthy", messages=PROMPT, stream=True, api_base=url, api_key="k", num_retries=0
    )


def litellm_anthropic(url: str) -> Iterator[str]:
    return (chunk.choices[0].delta.content or "" for chunk in _litellm_anthropic(url))


def litellm_anthropic_watched(url: str) -> Iterator[str]:
    chunks = streamgauge.watch(_litellm_anthropic(url), provider="anthropic", model="demo-healthy")
    return (chunk.choices[0].delta.content or "" for chunk in chunks)


def _litellm_responses(url: str) -> Any:
    return litellm.responses(
        model="openai/demo-healthy", input="Which gauge?", stream=True, api_base=f"{url}/v1", api_key="k"
    )


def litellm_responses(url: str) -> Iterator[str]:
    return (str(event.type) for event in _litellm_responses(url))


def litellm_responses_watched(url: str) -> Iterator[str]:
    chunks = streamgauge.watch(_litellm_responses(url), provider="openai", model="demo-healthy")
    return (str(event.type) for event in chunks)


def instructor_partial(url: str) -> Iterator[str]:
    bare = openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0, default_headers=TEXT)
    client = instructor.from_openai(bare, mode=instructor.Mode.MD_JSON)
    return (repr(part) for part in client.create_partial(model="demo-healthy", messages=PROMPT, response_model=Answer))


async def instructor_partial_async(url: str) -> AsyncIterator[str]:
    bare = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0, default_headers=TEXT)
    client = instructor.from_openai(bare, mode=instructor.Mode.MD_JSON)
    async for part in client.create_partial(model="demo-healthy", messages=PROMPT, response_model=Answer):
        yield repr(part)


WAYS = (
    litellm_openai,
    litellm_openai_async,
    litellm_anthropic,
    litellm_anthropic_watched,
    litellm_responses,
    litellm_responses_watched,
    instructor_partial,
    instructor_partial_async,
)

if __name__ == "__main__":
    litellm.telemetry = False
    print(json.dumps(asyncio.run(compared(sys.argv[1], WAYS))))
