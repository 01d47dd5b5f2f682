"""OpenAI chat completions, streamed and whole; Azure's variant with its filter results, and what gateways make of it.

Source: the chunk types of the openai SDK (`openai.types.chat.chat_completion_chunk`). Reasoning travels as
`reasoning_content`, which OpenAI itself does not send but most compatible servers do.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from streamgauge.demo.script import Block, Frame
from streamgauge.demo.wire.dialect import JSON, Call, Dialect

_FINISH = {"stop": "stop", "length": "length", "content_filter": "content_filter", "tools": "tool_calls"}
_FIELD = {"reasoning": "reasoning_content", "text": "content", "refusal": "refusal"}
_SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}

_PROMPT_FILTER = Frame(
    {
        "choices": [],
        "created": 0,
        "id": "",
        "model": "",
        "object": "",
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _SAFE}],
    },
    "other",
)


class Chat(Dialect):
    """`/chat/completions`."""

    api = "chat"
    many = True

    def identify(self, call: Call) -> str:
        """Id of the completion."""
        return call.id("chatcmpl-")

    def frames(self, call: Call) -> Iterator[Frame]:
        """Role, content, finish reason, usage if asked for, `[DONE]`."""
        if call.platform == "azure":
            yield _PROMPT_FILTER
        for choice in range(call.script.choices):
            yield self._chunk(call, choice, {"role": "assistant", "content": "", "refusal": None}, "open")
        yield from self._content(call)
        if call.script.reason:
            for choice in range(call.script.choices):
                yield self._chunk(call, choice, {}, "finish", finish=_FINISH[call.script.reason])
        if _wants_usage(call):
            yield Frame({**_envelope(call), "choices": [], "usage": usage_of(call)}, "usage")
        yield Frame("[DONE]", "end")

    def whole(self, call: Call) -> JSON:
        """One chat completion object."""
        choices = [
            {
                "index": choice,
                "message": _message(call),
                "logprobs": None,
                "finish_reason": _FINISH.get(call.script.reason),
            }
            for choice in range(call.script.choices)
        ]
        return {**_envelope(call), "object": "chat.completion", "choices": choices, "usage": usage_of(call)}

    def unknown(self, call: Call, frame: Frame) -> tuple[Frame, ...]:
        """A chunk without choices that carries a new field, and the frame with a new delta field."""
        new = Frame(
            {**_envelope(call), "object": "chat.completion.telemetry", "choices": [], "hint": {"speed": 1}}, "other"
        )
        return new, _with_delta(frame, {"novelty": {"kind": "sparkle"}})

    def nulls(self, frame: Frame) -> tuple[Frame, ...]:
        """Null beside content, null usage, and a chunk whose delta is null."""
        if frame.role != "content":
            return (frame,)
        quiet = {"role": None, "function_call": None, "refusal": None, "tool_calls": None}
        filled = _with_delta(frame, quiet | _delta_of(frame), usage=None, system_fingerprint=None)
        empty = replace(filled, role="other", kind=None, characters=0)
        return _with_delta(empty, {"role": None, "content": None}), filled

    def gateway(self, frame: Frame) -> tuple[Frame, ...]:
        """No id, no creation time; a chunk with empty choices in front."""
        if not isinstance(frame.payload, dict):
            return (frame,)
        bare = {key: value for key, value in frame.payload.items() if key in ("object", "choices", "model", "usage")}
        comment, _ = super().gateway(frame)
        hollow = (Frame({**bare, "choices": []}, "other"),) if frame.role == "open" else ()
        return (comment, *hollow, replace(frame, payload=bare))

    def _content(self, call: Call) -> Iterator[Frame]:
        tools = 0
        for block in call.blocks:
            if block.tool is not None:
                yield from self._tool(call, block, tools)
                tools += 1
                continue
            for piece in block.pieces:
                for choice in range(call.script.choices):
                    yield self._chunk(call, choice, {_FIELD[block.kind]: piece}, "content", block, len(piece))

    def _tool(self, call: Call, block: Block, index: int) -> Iterator[Frame]:
        for choice in range(call.script.choices):
            yield self._chunk(
                call, choice, {"tool_calls": [{"index": index, **_called(call, block, index, "")}]}, "block"
            )
        for piece in block.pieces:
            for choice in range(call.script.choices):
                delta = {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
                yield self._chunk(call, choice, delta, "content", block, len(piece))

    def _chunk(
        self,
        call: Call,
        choice: int,
        delta: JSON,
        role: Any,
        block: Block | None = None,
        characters: int = 0,
        finish: str | None = None,
    ) -> Frame:
        said = {"index": choice, "delta": delta, "logprobs": None, "finish_reason": finish}
        if call.platform == "azure":
            said["content_filter_results"] = _SAFE if role == "content" else {}
        payload = {**_envelope(call), "choices": [said]}
        if _wants_usage(call):
            payload["usage"] = None
        return Frame(payload, role, kind=block.kind if block else None, characters=characters)


def usage_of(call: Call) -> JSON:
    """Token usage as chat and legacy completions word it."""
    given, made, thought = call.tokens
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": thought, "audio_tokens": 0},
    }


def _wants_usage(call: Call) -> bool:
    asked = bool((call.body.get("stream_options") or {}).get("include_usage"))
    return {"asked": asked, "always": True, "never": False}[call.script.usage]


def _envelope(call: Call) -> JSON:
    return {
        "id": call.id("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": call.created,
        "model": call.model,
        "service_tier": "default",
        "system_fingerprint": "fp_streamgauge",
    }


def _called(call: Call, block: Block, index: int, arguments: str) -> JSON:
    assert block.tool is not None  # noqa: S101 - only tool blocks come here
    function = {"name": block.tool.name, "arguments": arguments}
    return {"id": call.id("call_", index), "type": "function", "function": function}


def _message(call: Call) -> JSON:
    texts = {_FIELD[block.kind]: block.text for block in call.blocks if block.kind != "tool"}
    tools = [block for block in call.blocks if block.kind == "tool"]
    calls = [_called(call, block, index, block.text) for index, block in enumerate(tools)]
    return {"role": "assistant", "content": None, "refusal": None, **texts, **({"tool_calls": calls} if calls else {})}


def _delta_of(frame: Frame) -> JSON:
    assert isinstance(frame.payload, dict)  # noqa: S101 - content frames of this dialect are objects
    delta: JSON = frame.payload["choices"][0]["delta"]
    return delta


def _with_delta(frame: Frame, extra: JSON, **envelope: Any) -> Frame:
    assert isinstance(frame.payload, dict)  # noqa: S101 - content frames of this dialect are objects
    choices = [{**choice, "delta": {**choice["delta"], **extra}} for choice in frame.payload["choices"]]
    return replace(frame, payload={**frame.payload, **envelope, "choices": choices})
