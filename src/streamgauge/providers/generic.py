"""Any iterator of chunks: strings, dicts or objects of a known shape, from wherever they come.

The first chunk decides the shape: text is text; what has `choices` is read as chat completions, a `type` of the
Responses or Messages API as those; anything else is asked for `text` or `content`. Fields may be missing or null."""

import re
from collections.abc import Callable
from typing import Any

from streamgauge.events import Sink
from streamgauge.providers import Api, Provider, Reader, Request, View, provider_named, viewed

NO_PATH = re.compile(r"(?!)")


def generic_reader() -> Reader:
    """A reader that takes the shape of the first chunk that has one."""
    shaped: Reader | None = None

    def read(chunk: Any, sink: Sink) -> str | None:
        nonlocal shaped
        if isinstance(chunk, str):
            return chunk
        view = viewed(chunk)
        if not isinstance(view, View):  # a number, a list, nothing at all
            sink.unrecognised()
            return None
        if shaped is None:
            shaped = _shape(view)
            if shaped is not _plain:
                sink.expects_marker()
        return shaped(view, sink)

    return read


def _shape(view: Any) -> Reader:
    for matches, provider, api in _SHAPES:
        if matches(view):
            return _reader_of(provider, api)
    return _plain


def _reader_of(provider: str, function: str) -> Reader:
    found: Provider | None = provider_named(provider)
    assert found is not None  # noqa: S101 - the table below names files of this package
    make = getattr(__import__(found.read_request.__module__, fromlist=[function]), function)
    reader: Reader = make()
    return reader


def _type_starts(*starts: str) -> Callable[[Any], bool]:
    return lambda view: isinstance(view.type, str) and view.type.startswith(starts)


_SHAPES: tuple[tuple[Callable[[Any], bool], str, str], ...] = (
    (lambda view: view.choices is not None, "openai", "chat_reader"),
    (_type_starts("response."), "openai", "responses_reader"),
    (_type_starts("message_", "content_block_", "ping"), "anthropic", "messages_reader"),
)


def _plain(view: Any, sink: Sink) -> str | None:
    piece = view.text if isinstance(view.text, str) else view.content
    if isinstance(piece, str):
        return piece
    sink.unrecognised()
    return None


API = Api("stream", NO_PATH, "chat", generic_reader, finish_ends=True, ends_by_itself=True)


def request(provider: str, model: str | None, operation: str) -> Request:
    """The request of a stream that no SDK made."""
    api = API if operation == API.operation else Api(API.name, NO_PATH, operation, generic_reader, True, True)
    return Request(api=api, provider=provider, model=model)
