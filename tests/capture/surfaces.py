"""The ways to a stream through the SDKs, as data: what is called, and how to get from the call to what is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

PROMPT: list[Any] = [{"role": "user", "content": "Which gauge?"}]


@dataclass(frozen=True)
class Surface:
    """One entry point: `call` gives a stream (async: an awaitable one), or, for a `helper`, the manager of one."""

    name: str
    sdk: Literal["openai", "anthropic"]
    api: str
    call: Callable[..., Any]
    helper: bool = False

    def __str__(self) -> str:
        return self.name


def _chat(client: Any, model: str, **more: Any) -> Any:
    options = {"include_usage": True}
    return client.chat.completions.create(model=model, messages=PROMPT, stream=True, stream_options=options, **more)


def _chat_helper(client: Any, model: str, **more: Any) -> Any:
    return client.chat.completions.stream(model=model, messages=PROMPT, stream_options={"include_usage": True}, **more)


def _responses(client: Any, model: str, **more: Any) -> Any:
    return client.responses.create(model=model, input="Which gauge?", stream=True, **more)


def _responses_helper(client: Any, model: str, **more: Any) -> Any:
    return client.responses.stream(model=model, input="Which gauge?", **more)


def _messages(client: Any, model: str, **more: Any) -> Any:
    return client.messages.create(model=model, messages=PROMPT, max_tokens=64, stream=True, **more)


def _messages_helper(client: Any, model: str, **more: Any) -> Any:
    return client.messages.stream(model=model, messages=PROMPT, max_tokens=64, **more)


SURFACES = (
    Surface("chat", "openai", "chat", _chat),
    Surface("chat.stream", "openai", "chat", _chat_helper, helper=True),
    Surface("responses", "openai", "responses", _responses),
    Surface("responses.stream", "openai", "responses", _responses_helper, helper=True),
    Surface("messages", "anthropic", "messages", _messages),
    Surface("messages.stream", "anthropic", "messages", _messages_helper, helper=True),
)
PLAIN = tuple(surface for surface in SURFACES if not surface.helper)

_NUMBERED = re.compile(r"[0-9a-f]{10,}|\d{9,}\.?\d*")


def shown(chunk: object) -> str:
    """A chunk as text to compare two runs by: ids and times of the request are left out."""
    return _NUMBERED.sub("#", repr(chunk))
