"""OpenAI Responses, streamed and whole: every event typed and numbered, the last one with the whole response object.

Source: the event types of the openai SDK (`openai.types.responses.response_stream_event`). `Call.output` holds the
items that have been finished so far, so that a failed or incomplete response can show them.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from streamgauge.demo.script import Block, Frame
from streamgauge.demo.wire.dialect import JSON, Call, Dialect, Problem

_ENDINGS: dict[str, tuple[str, JSON]] = {
    "length": ("incomplete", {"incomplete_details": {"reason": "max_output_tokens"}}),
    "content_filter": ("incomplete", {"incomplete_details": {"reason": "content_filter"}}),
}
_ITEM_PREFIX = {"reasoning": "rs_", "text": "msg_", "refusal": "msg_", "tool": "fc_"}
_PART: dict[str, JSON] = {
    "text": {"type": "output_text", "annotations": [], "logprobs": []},
    "refusal": {"type": "refusal"},
}
_PART_FIELD = {"text": "text", "refusal": "refusal"}


class Responses(Dialect):
    """`/responses`."""

    api = "responses"

    def identify(self, call: Call) -> str:
        """Id of the response."""
        return call.id("resp_")

    def frames(self, call: Call) -> Iterator[Frame]:
        """Created, in progress, one output item per block, then the terminal event with usage."""
        yield _event(call, "response.created", "open", response=snapshot(call, "in_progress"))
        yield _event(call, "response.in_progress", "open", response=snapshot(call, "in_progress"))
        for index, block in enumerate(call.blocks):
            yield _event(
                call,
                "response.output_item.added",
                "block",
                output_index=index,
                item=_item(call, index, block, done=False),
            )
            yield from _INSIDE[block.kind](call, index, block)
            item = _item(call, index, block, done=True)
            call.output.append(item)
            yield _event(call, "response.output_item.done", "block", output_index=index, item=item)
        status, details = _ENDINGS.get(call.script.reason, ("completed", {}))
        yield _event(call, f"response.{status}", "finish", response=finished(call, status, **details))

    def whole(self, call: Call) -> JSON:
        """One finished response object."""
        call.output.extend(_item(call, index, block, done=True) for index, block in enumerate(call.blocks))
        status, details = _ENDINGS.get(call.script.reason, ("completed", {}))
        return finished(call, status, **details)

    def error(self, call: Call, problem: Problem, instead: Frame) -> tuple[Frame, ...]:  # noqa: ARG002 - see dialect
        """The flat `error` event, which the SDK hands to its caller as an ordinary event."""
        said = {"code": self.error_type(problem), "message": problem.message, "param": None}
        return (_in_place(instead, "error", **said),)

    def failed(self, call: Call, problem: Problem, instead: Frame) -> tuple[Frame, ...]:
        """`response.failed` with what had been finished before."""
        error = {"code": self.error_type(problem), "message": problem.message}
        return (_in_place(instead, "response.failed", response=snapshot(call, "failed", error=error)),)

    def unknown(self, call: Call, frame: Frame) -> tuple[Frame, ...]:
        """An event type from the future, and the frame with a new field; its number stays in order."""
        assert isinstance(frame.payload, dict)  # noqa: S101 - all frames of this dialect are objects
        number = frame.payload["sequence_number"]
        late = replace(frame, payload={**frame.payload, "sequence_number": next(call.sequence), "novelty": True})
        hint = {"type": "response.telemetry_hint", "hint": {"speed": 1}, "sequence_number": number}
        return Frame(hint, "other", "response.telemetry_hint"), late

    def nulls(self, frame: Frame) -> tuple[Frame, ...]:
        """Null logprobs and annotations, null usage and tools in the response objects."""
        if not isinstance(frame.payload, dict):
            return (frame,)
        payload = {**frame.payload}
        if "logprobs" in payload:
            payload["logprobs"] = None
        if frame.role == "open":
            payload["response"] = {**payload["response"], "usage": None, "text": None, "reasoning": None}
        return (replace(frame, payload=payload),)

    def gateway(self, frame: Frame) -> tuple[Frame, ...]:
        """Events without item ids and without numbers, among comment lines."""
        comment, _ = super().gateway(frame)
        if not isinstance(frame.payload, dict):
            return comment, frame
        bare = {key: value for key, value in frame.payload.items() if key not in ("item_id", "sequence_number")}
        return comment, replace(frame, payload=bare)


def snapshot(call: Call, status: str | None, **fields: Any) -> JSON:
    """The response object as it stands: the items finished so far, no usage."""
    return {
        "id": call.id("resp_"),
        "object": "response",
        "created_at": call.created,
        "status": status,
        "background": bool(call.body.get("background")),
        "error": None,
        "incomplete_details": None,
        "instructions": call.body.get("instructions"),
        "max_output_tokens": call.body.get("max_output_tokens"),
        "model": call.model,
        "output": list(call.output),
        "parallel_tool_calls": True,
        "previous_response_id": call.body.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": call.body.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "metadata": {},
        **fields,
    }


def finished(call: Call, status: str, **fields: Any) -> JSON:
    """The response object at its end, with usage unless the script withholds it."""
    given, made, thought = call.tokens
    usage = {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": given + made,
    }
    shown = None if call.script.reason == "" else status
    return snapshot(call, shown, **{"usage": None if call.script.usage == "never" else usage, **fields})


def _event(call: Call, event: str, role: Any, **fields: Any) -> Frame:
    return Frame({"type": event, "sequence_number": next(call.sequence), **fields}, role, event)


def _in_place(instead: Frame, event: str, **fields: Any) -> Frame:
    assert isinstance(instead.payload, dict)  # noqa: S101 - all frames of this dialect are objects
    number = instead.payload["sequence_number"]
    return Frame({"type": event, "sequence_number": number, **fields}, "other", event)


def _delta(call: Call, name: str, block: Block, piece: str, **fields: Any) -> Frame:
    frame = _event(call, name, "content", delta=piece, **fields)
    return replace(frame, kind=block.kind, characters=len(piece))


def _item(call: Call, index: int, block: Block, *, done: bool) -> JSON:
    item: JSON = {"id": call.id(_ITEM_PREFIX[block.kind], index), "status": _status(call, done=done)}
    if block.kind == "reasoning":
        return {**item, "type": "reasoning", "summary": [{"type": "summary_text", "text": block.text}] if done else []}
    if block.tool is not None:
        arguments = block.text if done else ""
        name, call_id = block.tool.name, call.id("call_", index)
        return {**item, "type": "function_call", "arguments": arguments, "call_id": call_id, "name": name}
    return {**item, "type": "message", "role": "assistant", "content": [_part(block, block.text)] if done else []}


def _status(call: Call, *, done: bool) -> str:
    if not done:
        return "in_progress"
    return "incomplete" if call.script.reason in _ENDINGS else "completed"


def _part(block: Block, text: str) -> JSON:
    return {**_PART[block.kind], _PART_FIELD[block.kind]: text}


def _thinking(call: Call, index: int, block: Block) -> Iterator[Frame]:
    at = {"item_id": call.id("rs_", index), "output_index": index, "summary_index": 0}
    yield _event(
        call, "response.reasoning_summary_part.added", "block", **at, part={"type": "summary_text", "text": ""}
    )
    for piece in block.pieces:
        yield _delta(call, "response.reasoning_summary_text.delta", block, piece, **at)
    yield _event(call, "response.reasoning_summary_text.done", "block", **at, text=block.text)
    yield _event(
        call, "response.reasoning_summary_part.done", "block", **at, part={"type": "summary_text", "text": block.text}
    )


def _saying(call: Call, index: int, block: Block) -> Iterator[Frame]:
    at = {"item_id": call.id("msg_", index), "output_index": index, "content_index": 0}
    name, field = {"text": "response.output_text", "refusal": "response.refusal"}[block.kind], _PART_FIELD[block.kind]
    extra: JSON = {"logprobs": []} if block.kind == "text" else {}
    yield _event(call, "response.content_part.added", "block", **at, part=_part(block, ""))
    for piece in block.pieces:
        yield _delta(call, f"{name}.delta", block, piece, **at, **extra)
    yield _event(call, f"{name}.done", "block", **at, **{field: block.text}, **extra)
    yield _event(call, "response.content_part.done", "block", **at, part=_part(block, block.text))


def _calling(call: Call, index: int, block: Block) -> Iterator[Frame]:
    at = {"item_id": call.id("fc_", index), "output_index": index}
    for piece in block.pieces:
        yield _delta(call, "response.function_call_arguments.delta", block, piece, **at)
    name = block.tool.name if block.tool else ""
    yield _event(call, "response.function_call_arguments.done", "block", **at, name=name, arguments=block.text)


_INSIDE = {"reasoning": _thinking, "text": _saying, "refusal": _saying, "tool": _calling}
