"""The wire dialects, one file each, and the routes that lead to them.

In: method and path of a request. Out: the dialect that answers it, the platform whose path it is, and what the path
says about the model. Paths are those that the openai and anthropic SDKs build for their direct, Azure, Bedrock, Vertex
and Foundry clients.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from streamgauge.demo.wire.bedrock import Bedrock
from streamgauge.demo.wire.chat import Chat
from streamgauge.demo.wire.completions import Completions
from streamgauge.demo.wire.dialect import Dialect
from streamgauge.demo.wire.messages import Messages
from streamgauge.demo.wire.responses import Responses

Action = Literal["answer", "retrieve", "cancel", "models", "health"]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request leads. `streams` is what the path says about streaming; None leaves it to the body."""

    action: Action
    dialect: Dialect
    platform: str = ""
    streams: bool | None = None
    names: Mapping[str, str] = field(default_factory=dict)


CHAT, COMPLETIONS, RESPONSES, MESSAGES, BEDROCK = Chat(), Completions(), Responses(), Messages(), Bedrock()
BY_API: Mapping[str, Dialect] = {
    "chat": CHAT,
    "completions": COMPLETIONS,
    "responses": RESPONSES,
    "messages": MESSAGES,
    "bedrock": BEDROCK,
}
"""The dialects, by the name of their API; bedrock is messages in another framing."""
_SHAPES: tuple[tuple[str, str, Action, Dialect, str, bool | None], ...] = (
    ("POST", r"/openai/deployments/(?P<model>[^/]+)/chat/completions", "answer", CHAT, "azure", None),
    ("POST", r"/openai/deployments/(?P<model>[^/]+)/completions", "answer", COMPLETIONS, "azure", None),
    ("POST", r"/model/(?P<model>[^/]+)/invoke-with-response-stream", "answer", BEDROCK, "bedrock", True),
    ("POST", r"/model/(?P<model>[^/]+)/invoke", "answer", BEDROCK, "bedrock", False),
    ("POST", r".*/models/(?P<model>[^/]+):streamRawPredict", "answer", MESSAGES, "vertex", True),
    ("POST", r".*/models/(?P<model>[^/]+):rawPredict", "answer", MESSAGES, "vertex", False),
    ("POST", r".*/anthropic/v1/messages", "answer", MESSAGES, "foundry", None),
    ("POST", r".*/messages", "answer", MESSAGES, "", None),
    ("POST", r".*/chat/completions", "answer", CHAT, "", None),
    ("POST", r".*/completions", "answer", COMPLETIONS, "", None),
    ("POST", r".*/responses", "answer", RESPONSES, "", None),
    ("POST", r".*/responses/(?P<id>[^/]+)/cancel", "cancel", RESPONSES, "", None),
    ("GET", r".*/responses/(?P<id>[^/]+)", "retrieve", RESPONSES, "", None),
    ("GET", r".*/models", "models", CHAT, "", None),
    ("GET", r"/(health|healthz|livez|readyz)?", "health", CHAT, "", None),
)
_PATHS = tuple(re.compile(shape[1]) for shape in _SHAPES)

ROOTS: Mapping[str, str] = {
    "openai": "/v1",
    "anthropic": "",
    "azure": "",
    "bedrock": "",
    "bedrock_openai": "/openai/v1",
    "vertex": "/v1",
    "foundry": "/anthropic",
}
"""What a client's `base_url` (`azure_endpoint` for Azure) ends with, by the SDK's client."""


def route(method: str, path: str) -> Route | None:
    """The route of a request, or None when there is none."""
    for compiled, (verb, _, action, dialect, platform, streams) in zip(_PATHS, _SHAPES, strict=True):
        found = compiled.fullmatch(path) if verb == method else None
        if found:
            names = {name: unquote(value) for name, value in found.groupdict().items()}
            return Route(action, dialect, platform, streams, names)
    return None
