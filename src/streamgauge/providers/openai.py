"""OpenAI's SDK, and every provider behind its client: chat completions, legacy completions and Responses.

Tapped at the stream's own iterator (`Stream.__stream__`), which every entry point of the SDK goes through; the call's
boundary is the client's `request`. `[DONE]` is kept by the SDK to itself: when its generator has ended, the frame that
it held last is looked at."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from streamgauge.events import Sink, Usage
from streamgauge.providers import Api, Provider, Reader, Request, View, clean_code, viewed

_HOSTS = {
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "amazonaws.com": "aws.bedrock",
    "api.openai.com": "openai",
    "groq.com": "groq",
    "deepseek.com": "deepseek",
    "mistral.ai": "mistral_ai",
    "x.ai": "x_ai",
    "perplexity.ai": "perplexity",
    "googleapis.com": "gcp.gemini",
    "cohere.com": "cohere",
}
_CLIENTS = {
    "AzureOpenAI": "azure.ai.openai",
    "AsyncAzureOpenAI": "azure.ai.openai",
    "BedrockOpenAI": "aws.bedrock",
    "AsyncBedrockOpenAI": "aws.bedrock",
}
_DONE = "[DONE]"
_NOTHING = View({})
_PARAMETERS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "temperature", "top_p", "n")


def chat_reader() -> Reader:
    """A reader of chat completion chunks."""
    seen = False
    tool: object = None

    def read(chunk: Any, sink: Sink) -> str | None:
        nonlocal seen, tool
        if not seen:
            seen = True
            _identify(chunk, sink)
        try:
            (choice,) = chunk.choices
            delta = choice.delta
            calls, extra = delta.tool_calls, delta.__pydantic_extra__
            text: str | None = delta.content
            more = delta.refusal or choice.finish_reason or choice.index or chunk.usage
            if not (more or calls or extra):
                return text
        except (AttributeError, TypeError, ValueError):
            more = True  # a dict, no choice or several
        if more or (text and (calls or extra)):
            patiently(viewed(chunk), sink)
            return None
        if calls:
            tool = _chat_tools(calls, 0, tool, sink)
        if extra:
            _chat_extra(extra, sink)
        return text

    def patiently(chunk: Any, sink: Sink) -> None:
        nonlocal tool
        if chunk.usage is not None:
            _chat_usage(chunk.usage, sink)
        for choice in chunk.choices or ():
            tool = _chat_choice(choice, choice.delta or _NOTHING, tool, sink)

    return read


def _chat_choice(choice: Any, delta: Any, tool: object, sink: Sink) -> object:
    index = choice.index or 0
    if index:
        sink.choice(index)
    if delta.content:
        sink.text(delta.content)
    if delta.tool_calls:
        tool = _chat_tools(delta.tool_calls, index, tool, sink)
    if delta.__pydantic_extra__:
        _chat_extra(delta.__pydantic_extra__, sink)
    if delta.refusal:
        sink.refusal(delta.refusal)
    if choice.finish_reason:
        if tool is not None:
            sink.tool_call_end(tool)
        tool = None
        sink.finish(index, choice.finish_reason)
    return tool


def _chat_extra(extra: Any, sink: Sink) -> None:
    fields = extra if isinstance(extra, Mapping) else {name: getattr(extra, name, None) for name in _REASONING}
    reasoning = next((fields[name] for name in _REASONING if isinstance(fields.get(name), str)), None)
    if reasoning:
        sink.reasoning(reasoning)
    elif isinstance(extra, Mapping) and not fields.keys() <= _DELTA_FIELDS:
        sink.unrecognised()


_REASONING = ("reasoning_content", "reasoning")
_DELTA_FIELDS = frozenset(
    {
        *_REASONING,
        "annotations",
        "audio",
        "content",
        "function_call",
        "provider_specific_fields",
        "reasoning_details",
        "refusal",
        "role",
        "tool_calls",
    }
)


def _chat_tools(calls: Any, choice: int, open_key: object, sink: Sink) -> object:
    for call in calls:
        call = viewed(call)
        key = (choice, call.index or 0)
        function = call.function or _NOTHING
        if key != open_key and open_key is not None:
            sink.tool_call_end(open_key)
        if key != open_key or (call.id and function.name):
            sink.tool_call(key, call.id, function.name)
        open_key = key
        arguments = function.arguments
        if arguments:
            sink.tool_arguments(key, arguments)
    return open_key


def _chat_usage(usage: Any, sink: Sink) -> None:
    prompt, completion = usage.prompt_tokens_details or _NOTHING, usage.completion_tokens_details or _NOTHING
    sink.usage(
        Usage(
            _count(usage.prompt_tokens),
            _count(usage.completion_tokens),
            _count(prompt.cached_tokens),
            None,
            _count(completion.reasoning_tokens),
        )
    )


def _identify(chunk: Any, sink: Sink) -> None:
    said = chunk.get if isinstance(chunk, dict) else partial(_attribute, chunk)
    sink.response(_text(said("id")), _text(said("model")), _text(said("service_tier")))


def _attribute(of: object, name: str) -> object:
    return getattr(of, name, None)


def completion_reader() -> Reader:
    """A reader of legacy completion chunks."""
    seen = False

    def read(chunk: Any, sink: Sink) -> str | None:
        nonlocal seen
        if not seen:
            seen = True
            _identify(chunk, sink)
        view = viewed(chunk)
        if view.usage is not None:
            _chat_usage(view.usage, sink)
        for choice in view.choices or ():
            if choice.index:
                sink.choice(choice.index)
            if choice.text:
                sink.text(choice.text)
            if choice.finish_reason:
                sink.finish(choice.index or 0, choice.finish_reason)
        return None

    return read


def responses_reader() -> Reader:
    """A reader of Responses events, by their type; a sequence number that does not grow is a duplicate."""
    last: float = -1

    def read(chunk: Any, sink: Sink) -> str | None:
        nonlocal last
        try:
            if chunk.type == "response.output_text.delta":
                number = chunk.sequence_number
                if last < number:
                    last = number
                    text: str | None = chunk.delta
                    return text
        except (AttributeError, TypeError):
            pass  # a dict, or an event of an older kind: read with more patience
        try:
            kind = chunk.type
        except AttributeError:
            chunk = View(chunk)
            kind = chunk.type
        try:
            number = chunk.sequence_number
        except AttributeError:
            number = None
        if number is not None:
            if last < number:
                last = number
            else:
                sink.duplicate()
        if kind == "response.output_text.delta":
            more: str | None = chunk.delta
            return more
        handler = _RESPONSES.get(kind)
        if handler is not None:
            handler(chunk, sink)
        elif kind not in _SILENT and not _quiet(kind):
            sink.unrecognised()
        return None

    return read


def _quiet(kind: object) -> bool:
    return isinstance(kind, str) and kind.startswith(_SILENT_FAMILIES)


def _output_reasoning(chunk: Any, sink: Sink) -> None:
    if chunk.delta:
        sink.reasoning(chunk.delta)


def _output_refusal(chunk: Any, sink: Sink) -> None:
    if chunk.delta:
        sink.refusal(chunk.delta)


def _item_added(chunk: Any, sink: Sink) -> None:
    item = viewed(chunk.item)
    if item is not None and item.type in _TOOL_ITEMS:
        sink.tool_call(item.id or chunk.output_index, item.call_id, item.name, item.type == "custom_tool_call")


def _item_done(chunk: Any, sink: Sink) -> None:
    item = viewed(chunk.item)
    if item is not None and item.type in _TOOL_ITEMS:
        sink.tool_call_end(item.id or chunk.output_index)


def _arguments(chunk: Any, sink: Sink) -> None:
    if chunk.delta:
        sink.tool_arguments(chunk.item_id or chunk.output_index, chunk.delta)


def _arguments_done(chunk: Any, sink: Sink) -> None:
    sink.tool_call_end(chunk.item_id or chunk.output_index)


def _begun(chunk: Any, sink: Sink) -> None:
    _identify(chunk.response, sink)


def _ended(chunk: Any, sink: Sink) -> None:
    response = viewed(chunk.response) or _NOTHING
    _identify(response, sink)
    _responses_usage(response.usage, sink)
    details = response.incomplete_details or _NOTHING
    sink.finish(
        0, {"max_output_tokens": "length"}.get(details.reason, details.reason) or _text(response.status) or "stop"
    )
    sink.terminal(chunk.type)


def _failed(chunk: Any, sink: Sink) -> None:
    response = viewed(chunk.response) or _NOTHING
    _identify(response, sink)
    _responses_usage(response.usage, sink)
    error = response.error or _NOTHING
    sink.error(clean_code(error.code) or "response_failed", "failed")


def _cancelled(chunk: Any, sink: Sink) -> None:
    _identify(chunk.response, sink)
    sink.error(None, "cancelled")


def _error(chunk: Any, sink: Sink) -> None:
    view = viewed(chunk)
    inner = view.error or _NOTHING
    sink.error(clean_code(view.code) or clean_code(inner.code) or clean_code(inner.type) or "error", "error")


def _done(frame: Any, sink: Sink) -> None:
    if str(getattr(frame, "data", "")).startswith(_DONE):
        sink.terminal(_DONE)


def _swallowed_error(frame: Any, sink: Sink) -> None:
    # openai 1.66 to 1.92 drop the event `error` and end the iteration as if nothing had happened
    if getattr(frame, "event", None) == "error":
        _error(viewed(frame.json()), sink)


def _responses_usage(usage: Any, sink: Sink) -> None:
    if usage is None:
        return
    inputs, outputs = usage.input_tokens_details or _NOTHING, usage.output_tokens_details or _NOTHING
    sink.usage(
        Usage(
            _count(usage.input_tokens),
            _count(usage.output_tokens),
            _count(inputs.cached_tokens),
            None,
            _count(outputs.reasoning_tokens),
        )
    )


_TOOL_ITEMS = frozenset({"function_call", "custom_tool_call", "mcp_call"})
_RESPONSES: dict[str, Callable[[Any, Sink], None]] = {
    "response.reasoning_text.delta": _output_reasoning,
    "response.reasoning_summary_text.delta": _output_reasoning,
    "response.refusal.delta": _output_refusal,
    "response.output_item.added": _item_added,
    "response.output_item.done": _item_done,
    "response.function_call_arguments.delta": _arguments,
    "response.function_call_arguments.done": _arguments_done,
    "response.custom_tool_call_input.delta": _arguments,
    "response.custom_tool_call_input.done": _arguments_done,
    "response.mcp_call_arguments.delta": _arguments,
    "response.mcp_call_arguments.done": _arguments_done,
    "response.created": _begun,
    "response.in_progress": _begun,
    "response.queued": _begun,
    "response.completed": _ended,
    "response.incomplete": _ended,
    "response.failed": _failed,
    "response.cancelled": _cancelled,
    "error": _error,
}
_SILENT = frozenset(
    {
        "response.content_part.added",
        "response.content_part.done",
        "response.output_text.done",
        "response.output_text.annotation.added",
        "response.refusal.done",
        "response.reasoning_text.done",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
        "keepalive",
    }
)
_SILENT_FAMILIES = (
    "response.web_search_call.",
    "response.file_search_call.",
    "response.code_interpreter_call",
    "response.image_generation_call.",
    "response.mcp_call.",
    "response.mcp_list_tools.",
    "response.audio.",
    "response.computer_call.",
    "response.shell_call",
    "response.apply_patch_call",
    "response.compaction",
)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


_APIS = (
    Api("chat_completions", re.compile(r"/chat/completions$"), "chat", chat_reader, finish_ends=True, last_frame=_done),
    Api(
        "completions",
        re.compile(r"/completions$"),
        "text_completion",
        completion_reader,
        finish_ends=True,
        last_frame=_done,
    ),
    Api(
        "responses",
        re.compile(r"/responses(/(?P<id>[^/]+))?$"),
        "chat",
        responses_reader,
        last_frame=_swallowed_error,
    ),
)


def read_request(client: Any, options: Any) -> Request | None:
    """What the request in `options` says, or None if it asks for something that is no answer stream of ours."""
    path = str(options.url).partition("?")[0]
    found = next(((api, match) for api in _APIS if (match := api.path.search(path))), None)
    if found is None:
        return None
    api, match = found
    body = options.json_data if isinstance(options.json_data, Mapping) else {}
    query = options.params if isinstance(options.params, Mapping) else {}
    host, port = _server(client)
    cursor = query.get("starting_after")
    return Request(
        api=api,
        provider=_provider(client, host),
        model=_text(body.get("model")),
        server_address=host,
        server_port=port,
        parameters={name: body[name] for name in _PARAMETERS if isinstance(body.get(name), (int, float))},
        stream_cursor=str(cursor) if isinstance(cursor, (int, str)) else None,
        resume_of_response=match.groupdict().get("id"),
        background=body.get("background") is True or match.groupdict().get("id") is not None,
    )


def _server(client: Any) -> tuple[str | None, int | None]:
    url = getattr(client, "base_url", None)
    return _text(getattr(url, "host", None)), _count(getattr(url, "port", None))


def _provider(client: Any, host: str | None) -> str:
    for ancestor in type(client).__mro__:
        if ancestor.__name__ in _CLIENTS:
            return _CLIENTS[ancestor.__name__]
    if host is None or "." not in host or host.replace(".", "").isdigit():
        return "openai"
    return next((name for ending, name in _HOSTS.items() if host == ending or host.endswith("." + ending)), host)


PROVIDER = Provider(
    name="openai",
    distribution="openai",
    versions=">=1.26,<4",
    clients=("openai._base_client:SyncAPIClient", "openai._base_client:AsyncAPIClient"),
    streams=("openai._streaming:Stream", "openai._streaming:AsyncStream"),
    read_request=read_request,
)
