"""Recorded wire bytes, replayed through the real SDKs into events, however the bytes are cut.

One row of `REPLAYS` per API; a recording is `<provider>/<api>.<fault>.sse`, its golden `<api>.<fault>.events.json`.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai

from streamgauge.events import EventLog
from streamgauge.providers import Reader, describe
from streamgauge.providers.anthropic import messages_reader
from streamgauge.providers.openai import chat_reader, completion_reader, responses_reader

HERE = Path(__file__).parent
PROMPT: list[Any] = [{"role": "user", "content": "Which gauge?"}]


def _openai(transport: httpx2.BaseTransport) -> Any:
    return openai.OpenAI(api_key="k", max_retries=0, http_client=httpx2.Client(transport=transport))


def _anthropic(transport: httpx2.BaseTransport) -> Any:
    return anthropic.Anthropic(api_key="k", max_retries=0, http_client=httpx2.Client(transport=transport))


@dataclasses.dataclass(frozen=True)
class Replay:
    """How one API is asked for a stream, and what reads it."""

    client: Callable[[httpx2.BaseTransport], Any]
    ask: Callable[[Any], Any]
    reader: Callable[[], Reader]


REPLAYS: dict[tuple[str, str], Replay] = {
    ("openai", "chat_completions"): Replay(
        _openai, lambda c: c.chat.completions.create(model="m", messages=PROMPT, stream=True), chat_reader
    ),
    ("openai", "completions"): Replay(
        _openai, lambda c: c.completions.create(model="m", prompt="Which gauge?", stream=True), completion_reader
    ),
    ("openai", "responses"): Replay(
        _openai, lambda c: c.responses.create(model="m", input="Which gauge?", stream=True), responses_reader
    ),
    ("anthropic", "messages"): Replay(
        _anthropic, lambda c: c.messages.create(model="m", messages=PROMPT, max_tokens=9, stream=True), messages_reader
    ),
}


class Body(httpx2.SyncByteStream):
    """The bytes of a body, in the given pieces."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces


class Canned(httpx2.BaseTransport):
    """A network that answers every request with the same body."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, stream=Body(self._pieces), request=request)


def recordings() -> list[tuple[str, str, str]]:
    """Provider, API and fault of every recording."""
    names = [(path.parent.name, path.stem.partition(".")) for path in sorted(HERE.glob("*/*.sse"))]
    return [(provider, api, fault) for provider, (api, _, fault) in names]


def wire(provider: str, api: str, fault: str) -> bytes:
    """The bytes of a recording."""
    return (HERE / provider / f"{api}.{fault}.sse").read_bytes()


def golden(provider: str, api: str, fault: str) -> Path:
    """Where the events of a recording lie."""
    return HERE / provider / f"{api}.{fault}.events.json"


def events(provider: str, api: str, pieces: Sequence[bytes]) -> dict[str, Any]:
    """The events in a body that arrives in these pieces, and the exception of the SDK as we describe it."""
    replay, log, failure = REPLAYS[provider, api], EventLog(), None
    read = replay.reader()
    with replay.client(Canned(pieces)) as client:
        try:
            for chunk in replay.ask(client):
                if piece := read(chunk, log):  # type: ignore[arg-type]
                    log.text(piece)  # type: ignore[operator]
        except Exception as error:
            failure = dataclasses.asdict(describe(error))
    told = [[event.name, *event.arguments] for event in log.events]
    plain: dict[str, Any] = json.loads(json.dumps({"events": told, "failure": failure}, default=dataclasses.asdict))
    return plain
