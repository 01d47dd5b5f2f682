"""Anthropic's SDK and its cloud clients: the Messages API.

Tapped at the stream's own iterator (`Stream.__stream__`), below `MessageStream` and the tool runner; the call's
boundary is the client's `request`. The SDK has spans of its own since 1.14: they are left out for the calls that we
measure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from streamgauge.events import Sink, Usage
from streamgauge.providers import Api, Provider, Reader, Request, View, clean_code, viewed

_CLIENTS = {
    "AnthropicBedrock": "aws.bedrock",
    "AsyncAnthropicBedrock": "aws.bedrock",
    "AnthropicBedrockMantle": "aws.bedrock",
    "AsyncAnthropicBedrockMantle": "aws.bedrock",
    "AnthropicVertex": "gcp.vertex_ai",
    "AsyncAnthropicVertex": "gcp.vertex_ai",
    "AnthropicFoundry": "azure.ai.inference",
    "AsyncAnthropicFoundry": "azure.ai.inference",
}
_PARAMETERS = ("max_tokens", "temperature", "top_p")
_TOOL_BLOCKS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})


def messages_reader() -> Reader:
    """A reader of raw message stream events, by their type."""

    def read(chunk: Any, sink: Sink) -> str | None:
        try:
            delta = chunk.delta
            if delta.type == "text_delta":
                text: str | None = delta.text
                return text
        except AttributeError:
            pass  # a dict, or no delta
        try:
            kind = chunk.type
        except AttributeError:
            chunk = View(chunk)
            kind = chunk.type
        handler = _EVENTS.get(kind)
        if handler is None:
            sink.unrecognised()
        else:
            handler(chunk, sink)
        return None

    return read


def _block_delta(chunk: Any, sink: Sink) -> None:
    delta = chunk.delta
    kind = delta.type
    if kind == "text_delta":
        if delta.text:
            sink.text(delta.text)
    elif kind == "input_json_delta":
        if delta.partial_json:
            sink.tool_arguments(chunk.index, delta.partial_json)
    elif kind == "thinking_delta":
        if delta.thinking:
            sink.reasoning(delta.thinking)
    elif kind not in _SILENT_DELTAS:
        sink.unrecognised()


def _block_start(chunk: Any, sink: Sink) -> None:
    block = viewed(chunk.content_block)
    if block is None:
        sink.unrecognised()
    elif block.type in _TOOL_BLOCKS:
        sink.tool_call(chunk.index, block.id, block.name)
    elif block.type == "text" and block.text:
        sink.text(block.text)


def _block_stop(chunk: Any, sink: Sink) -> None:
    sink.tool_call_end(chunk.index)


def _message_start(chunk: Any, sink: Sink) -> None:
    message = viewed(chunk.message) or View({})
    usage = message.usage or View({})
    sink.response(message.id, message.model, usage.service_tier)
    # output_tokens of message_start is a placeholder, never a count
    sink.usage(_usage(usage, output=None, final=False))


def _message_delta(chunk: Any, sink: Sink) -> None:
    usage = viewed(chunk.usage)
    if usage is not None:
        sink.usage(_usage(usage, output=_count(usage.output_tokens), final=True))
    delta = viewed(chunk.delta) or View({})
    if delta.stop_reason:
        sink.finish(0, delta.stop_reason)


def _usage(usage: Any, *, output: int | None, final: bool) -> Usage:
    fresh, read, written = (
        _count(usage.input_tokens),
        _count(usage.cache_read_input_tokens),
        _count(usage.cache_creation_input_tokens),
    )
    # the API counts cached tokens beside the input, the convention inside it
    total = None if fresh is None else fresh + (read or 0) + (written or 0)
    details = usage.output_tokens_details or View({})
    return Usage(total, output, read, written, _count(details.thinking_tokens), final=final)


def _message_stop(_chunk: Any, sink: Sink) -> None:
    sink.terminal("message_stop")


def _ping(_chunk: Any, sink: Sink) -> None:
    sink.ping()


def _error(chunk: Any, sink: Sink) -> None:
    error = viewed(chunk.error) or View({})
    sink.error(clean_code(error.type) or "error", "error")


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_EVENTS: dict[str, Callable[[Any, Sink], None]] = {
    "content_block_delta": _block_delta,
    "content_block_start": _block_start,
    "content_block_stop": _block_stop,
    "message_start": _message_start,
    "message_delta": _message_delta,
    "message_stop": _message_stop,
    "ping": _ping,
    "error": _error,
}
_SILENT_DELTAS = frozenset({"signature_delta", "citations_delta", "compaction_delta"})

_MESSAGES = Api("messages", re.compile(r"/messages$"), "chat", messages_reader)


def read_request(client: Any, options: Any) -> Request | None:
    """What the request in `options` says, or None if it is not a call of the Messages API."""
    if not _MESSAGES.path.search(str(options.url).partition("?")[0]):
        return None
    body = options.json_data if isinstance(options.json_data, Mapping) else {}
    url = getattr(client, "base_url", None)
    host = getattr(url, "host", None)
    model = body.get("model")
    return Request(
        api=_MESSAGES,
        provider=_provider(client, host),
        model=model if isinstance(model, str) else None,
        server_address=host if isinstance(host, str) else None,
        server_port=_count(getattr(url, "port", None)),
        parameters={name: body[name] for name in _PARAMETERS if isinstance(body.get(name), (int, float))},
    )


def _provider(client: Any, host: Any) -> str:
    for ancestor in type(client).__mro__:
        if ancestor.__name__ in _CLIENTS:
            return _CLIENTS[ancestor.__name__]
    if (
        not isinstance(host, str)
        or "." not in host
        or host.replace(".", "").isdigit()
        or host.endswith("anthropic.com")
    ):
        return "anthropic"
    return host


PROVIDER = Provider(
    name="anthropic",
    distribution="anthropic",
    versions=">=0.51,<3",
    clients=("anthropic._base_client:SyncAPIClient", "anthropic._base_client:AsyncAPIClient"),
    streams=("anthropic._streaming:Stream", "anthropic._streaming:AsyncStream"),
    read_request=read_request,
    own_span="_tracer",
)
