"""OpenAI's legacy text completions, streamed and whole. Text only: reasoning and tool calls have no place in them."""

from collections.abc import Iterator
from typing import Any

from streamgauge.demo.script import Frame
from streamgauge.demo.wire.chat import Chat, usage_of
from streamgauge.demo.wire.dialect import JSON, Call

_FINISH = {"stop": "stop", "length": "length", "content_filter": "content_filter", "tools": "stop"}


class Completions(Chat):
    """`/completions`."""

    api = "completions"

    def identify(self, call: Call) -> str:
        """Id of the completion."""
        return call.id("cmpl-")

    def frames(self, call: Call) -> Iterator[Frame]:
        """Text, finish reason, usage if asked for, `[DONE]`."""
        for block in call.blocks:
            if block.kind in ("text", "refusal"):
                for piece in block.pieces:
                    for choice in range(call.script.choices):
                        yield Frame(_chunk(call, choice, piece), "content", kind="text", characters=len(piece))
        if call.script.reason:
            for choice in range(call.script.choices):
                yield Frame(_chunk(call, choice, "", _FINISH[call.script.reason]), "finish")
        asked = bool((call.body.get("stream_options") or {}).get("include_usage"))
        if {"asked": asked, "always": True, "never": False}[call.script.usage]:
            yield Frame({**_envelope(call), "choices": [], "usage": usage_of(call)}, "usage")
        yield Frame("[DONE]", "end")

    def whole(self, call: Call) -> JSON:
        """One completion object."""
        text = "".join(block.text for block in call.blocks if block.kind in ("text", "refusal"))
        finish = _FINISH.get(call.script.reason)
        choices = [_choice(choice, text, finish) for choice in range(call.script.choices)]
        return {**_envelope(call), "choices": choices, "usage": usage_of(call)}

    def unknown(self, call: Call, frame: Frame) -> tuple[Frame, ...]:
        """A chunk without choices that carries a new field."""
        return Frame({**_envelope(call), "choices": [], "hint": {"speed": 1}}, "other"), frame

    def nulls(self, frame: Frame) -> tuple[Frame, ...]:
        """Null usage in every chunk."""
        if not isinstance(frame.payload, dict):
            return (frame,)
        return (
            Frame(
                {"usage": None, "system_fingerprint": None, **frame.payload},
                frame.role,
                kind=frame.kind,
                characters=frame.characters,
            ),
        )


def _envelope(call: Call) -> JSON:
    return {"id": call.id("cmpl-"), "object": "text_completion", "created": call.created, "model": call.model}


def _choice(index: int, text: str, finish: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}


def _chunk(call: Call, choice: int, text: str, finish: str | None = None) -> JSON:
    return {**_envelope(call), "choices": [_choice(choice, text, finish)]}
