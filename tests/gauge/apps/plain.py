"""An application that knows nothing of streamgauge: streams and calls of both SDKs, sync and async."""

import asyncio
import sys
from typing import Any

import anthropic
import openai

PROMPT: list[Any] = [{"role": "user", "content": "Which gauge?"}]
url = sys.argv[1]


async def later() -> int:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k") as client:
        stream = await client.responses.create(model="m-async", input="x", stream=True)
        return len([event async for event in stream])


with openai.OpenAI(base_url=f"{url}/v1", api_key="k") as one:
    print("chat", len(list(one.chat.completions.create(model="m-chat", messages=PROMPT, stream=True))))
    one.chat.completions.create(model="m-whole", messages=PROMPT)
with anthropic.Anthropic(base_url=url, api_key="k") as two:
    print("create", len(list(two.messages.create(model="m-create", messages=PROMPT, max_tokens=9, stream=True))))
    with two.messages.stream(model="m-stream", messages=PROMPT, max_tokens=9) as stream:
        print("stream", len(stream.get_final_text()) > 0)
    with two.messages.stream(model="m-left", messages=PROMPT, max_tokens=9) as stream:
        next(stream)
    two.messages.create(model="m-whole", messages=PROMPT, max_tokens=9)
print("async", asyncio.run(later()))
