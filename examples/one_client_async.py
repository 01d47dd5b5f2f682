"""Observe one Anthropic client only, with its async helper; other clients are left alone.

ANTHROPIC_BASE_URL=... ANTHROPIC_API_KEY=... python examples/one_client_async.py
"""

import asyncio

from anthropic import AsyncAnthropic

import streamgauge


async def main() -> None:
    client = streamgauge.watch(AsyncAnthropic())
    async with client.messages.stream(
        model="claude-opus-5", max_tokens=1024, messages=[{"role": "user", "content": "Tell me of the sea."}]
    ) as stream:
        async for text in stream.text_stream:
            print(text, end="", flush=True)
    handle = streamgauge.of(stream)
    assert handle is not None and handle.report is not None
    print(f"\n{handle.report.outcome}, {handle.report.usage.output_tokens} tokens {handle.report.usage.provenance}")


asyncio.run(main())
