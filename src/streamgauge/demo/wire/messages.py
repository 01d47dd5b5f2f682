"""Anthropic Messages, streamed and whole; the same frames travel on Vertex and Foundry, and inside Bedrock's framing.

Source: the event types of the anthropic SDK (`anthropic.types.raw_message_stream_event`). `message_start` carries the
placeholder of one output token that the real API sends there.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from streamgauge.demo.script import Block, Frame
from streamgauge.demo.wire.dialect import JSON, Call, Dialect, Problem

_STOP = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "refusal",
    "tools": "tool_use",
    "refusal": "refusal",
}
_EMPTY: dict[str, JSON] = {
    "reasoning": {"type": "thinking", "thinking": "", "signature": ""},
    "text": {"type": "text", "text": ""},
}
_DELTA = {
    "reasoning": ("thinking_delta", "thinking"),
    "text": ("text_delta", "text"),
    "tool": ("input_json_delta", "partial_json"),
}
_SIGNATURE = "c3RyZWFtZ2F1Z2UtZGVtby1zaWduYXR1cmU="


class Messages(Dialect):
    """`/v1/messages`."""

    api = "messages"

    def identify(self, call: Call) -> str:
        """Id of the message."""
        return call.id("msg_01")

    def frames(self, call: Call) -> Iterator[Frame]:
        """`message_start`, blocks of content with a ping behind the first start, `message_delta`, `message_stop`."""
        yield _event("message_start", "open", message=_message(call, [], None, {**_input(call), "output_tokens": 1}))
        for index, block in enumerate(_shown(call)):
            yield _event("content_block_start", "block", index=index, content_block=_start(call, index, block))
            if index == 0:
                yield self.ping()
            yield from _pieces(index, block)
            yield _event("content_block_stop", "block", index=index)
        yield _event("message_delta", "usage", delta=_ending(call), usage=_usage(call))
        yield _event("message_stop", "end")

    def whole(self, call: Call) -> JSON:
        """One message object."""
        content = [_finished(call, index, block) for index, block in enumerate(_shown(call))]
        return _message(call, content, _reason(call), {**_input(call), "output_tokens": call.tokens[1]})

    def error_type(self, problem: Problem) -> str:
        """Anthropic's error type."""
        return problem.anthropic_type

    def problem(self, problem: Problem) -> JSON:
        """Anthropic's error envelope."""
        error = {"type": problem.anthropic_type, "message": problem.message}
        return {"type": "error", "error": error, "request_id": "req_011streamgauge"}

    def error(self, call: Call, problem: Problem, instead: Frame) -> tuple[Frame, ...]:  # noqa: ARG002 - the dialect's signature
        """The `error` event."""
        return (Frame(self.problem(problem), "other", "error"),)

    def ping(self) -> Frame:
        """The `ping` event, which the SDK keeps from its caller."""
        return _event("ping", "ping")

    def unknown(self, call: Call, frame: Frame) -> tuple[Frame, ...]:  # noqa: ARG002 - the dialect's signature
        """An event type from the future, and the frame with a new field."""
        assert isinstance(frame.payload, dict)  # noqa: S101 - content frames of this dialect are objects
        return _event("telemetry_hint", "other", hint={"speed": 1}), replace(
            frame, payload={**frame.payload, "novelty": True}
        )

    def nulls(self, frame: Frame) -> tuple[Frame, ...]:
        """Null where the message's optional parts would be."""
        if not isinstance(frame.payload, dict):
            return (frame,)
        extra: JSON = {"container": None, "context_management": None, "usage": frame.payload.get("usage")}
        return (replace(frame, payload={**extra, **frame.payload}),)

    def gateway(self, frame: Frame) -> tuple[Frame, ...]:
        """The message without its id, among comment lines."""
        comment, _ = super().gateway(frame)
        if not isinstance(frame.payload, dict) or "message" not in frame.payload:
            return comment, frame
        message = {key: value for key, value in frame.payload["message"].items() if key != "id"}
        return comment, replace(frame, payload={**frame.payload, "message": message})


def _event(name: str, role: Any, **fields: Any) -> Frame:
    return Frame({"type": name, **fields}, role, name)


def _pieces(index: int, block: Block) -> Iterator[Frame]:
    delta, field = _DELTA[block.kind]
    for piece in block.pieces:
        payload = {"type": "content_block_delta", "index": index, "delta": {"type": delta, field: piece}}
        yield Frame(payload, "content", "content_block_delta", block.kind, len(piece))
    if block.kind == "reasoning":
        yield _event(
            "content_block_delta", "block", index=index, delta={"type": "signature_delta", "signature": _SIGNATURE}
        )


def _shown(call: Call) -> list[Block]:
    """The blocks that reach the client: a refusal is a stop reason here, not content."""
    return [block for block in call.blocks if block.kind != "refusal"]


def _message(call: Call, content: list[JSON], reason: str | None, usage: JSON) -> JSON:
    return {
        "model": call.model,
        "id": call.id("msg_01"),
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": usage,
    }


def _start(call: Call, index: int, block: Block) -> JSON:
    if block.tool is None:
        return _EMPTY[block.kind]
    return {"type": "tool_use", "id": call.id("toolu_01", index), "name": block.tool.name, "input": {}}


def _finished(call: Call, index: int, block: Block) -> JSON:
    if block.tool is not None:
        return {**_start(call, index, block), "input": _input_of(block.text)}
    return {**_EMPTY[block.kind], _DELTA[block.kind][1]: block.text}


def _input_of(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return {"arguments": arguments}


def _reason(call: Call) -> str | None:
    return _STOP["refusal"] if call.script.refusal else _STOP.get(call.script.reason)


def _ending(call: Call) -> JSON:
    reason = _reason(call)
    refused = (
        {"stop_details": {"type": "refusal", "category": None, "explanation": None}} if reason == "refusal" else {}
    )
    return {"stop_reason": reason, "stop_sequence": None, **refused}


def _input(call: Call) -> JSON:
    return {
        "input_tokens": call.tokens[0],
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "service_tier": "standard",
    }


def _usage(call: Call) -> JSON:
    if call.script.usage == "never":
        return {"output_tokens": None}
    given, made, _ = call.tokens
    return {
        "input_tokens": given,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": made,
    }
