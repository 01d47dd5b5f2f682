"""HTTP/1.1 on one connection, down to the ways of breaking it: resets, bodies that never end, chunks that are cut.

In: bytes of a client. Out: one `Request` at a time to the `serve` coroutine, which answers through the same
`Connection`. A client that leaves is noticed at once, even while nothing is being sent: its request's task is cancelled
and `gone_ns` says when. No web framework, because they exist to keep a server from doing what this one is for.
"""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from struct import pack
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from streamgauge.errors import ConfigError

HOST = "127.0.0.1"
_MAX_HEAD = 64 * 1024
_LINGER_NOT = pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read whole. Header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; anything else is an empty one."""
        try:
            found = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class BadRequestError(ValueError):
    """The bytes are no HTTP request that this server understands."""


class Connection(asyncio.Protocol):
    """One client connection: parses requests, keeps alive, writes answers."""

    def __init__(
        self, serve: Callable[[Request, "Connection"], Coroutine[Any, Any, None]], open_ones: set["Connection"]
    ) -> None:
        self._serve, self._open = serve, open_ones
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._keep_alive = True
        self.gone_ns: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP server has no other
        self._transport = transport
        # asyncio does this only for sockets made with an explicit protocol; without it, pieces wait 40 ms for an ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(self)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request, or of the next one."""
        self._buffer += data
        self._advance()

    def eof_received(self) -> bool:
        """The client will send no more: for an HTTP client that means it has left."""
        self._gone()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """The connection is no more."""
        self._gone()
        self._room.set()
        self._open.discard(self)

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self._room.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._room.set()

    async def drain(self) -> None:
        """Wait until the client has read enough of what was written."""
        await self._room.wait()

    def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Begin an answer whose body comes in chunks."""
        self._head(status, {**headers, "transfer-encoding": "chunked"})

    def chunk(self, data: bytes) -> None:
        """One chunk of the body."""
        if data:
            self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def finish(self) -> None:
        """The proper end of a chunked body."""
        self._write(b"0\r\n\r\n")

    def whole(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """A complete JSON answer."""
        data = json.dumps(body, ensure_ascii=False).encode()
        self._head(status, {**headers, "content-type": "application/json", "content-length": str(len(data))})
        self._write(data)

    def break_off(self, *, reset: bool) -> None:
        """End the connection in the middle of an answer: with a TCP reset, or with a plain close."""
        self._keep_alive = False
        if not reset:
            self._transport.close()
            return
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self._transport.abort()

    async def shut(self) -> None:
        """End everything on this connection, now."""
        self._keep_alive = False
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._transport.abort()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} {_phrase(status)}", *(f"{name}: {value}" for name, value in headers.items())]
        if not self._keep_alive:
            lines.append("connection: close")
        self._write("\r\n".join([*lines, "\r\n"]).encode())

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def _gone(self) -> None:
        if self.gone_ns is None:
            self.gone_ns = time.monotonic_ns()
        if self._task is not None:
            self._task.cancel()

    def _advance(self) -> None:
        if self._task is not None or self._transport.is_closing():
            return
        try:
            request = self._take()
        except BadRequestError as error:
            self._keep_alive = False
            self.whole(400, {"error": {"message": str(error), "type": "invalid_request_error"}}, {})
            self._transport.close()
            return
        if request is not None:
            self._task = asyncio.get_running_loop().create_task(self._serve(request, self))
            self._task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and task.exception() is not None:
            self._keep_alive = False
            task.get_loop().call_exception_handler(
                {"message": "the provider failed to answer", "exception": task.exception()}
            )
        if not self._keep_alive:
            self._transport.close()
        self._advance()

    def _take(self) -> Request | None:
        """The next whole request in the buffer, or None until there is one."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEAD:
                raise BadRequestError("request head larger than 64 KiB")
            return None
        line, headers = _parsed(bytes(self._buffer[:end]))
        length = _length(headers)
        if len(self._buffer) < end + 4 + length:
            if headers.get("expect") == "100-continue":
                self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        self._keep_alive = headers.get("connection", "").lower() != "close" and line[2] == "HTTP/1.1"
        target = urlsplit(line[1])
        return Request(line[0], target.path, dict(parse_qsl(target.query, keep_blank_values=True)), headers, body)


def listen(port: int) -> socket.socket:
    """A listening socket; port 0 is any free one.

    Raises:
        ConfigError: the port is taken.
    """
    try:
        return socket.create_server((HOST, port), backlog=1024)
    except OSError as error:
        raise ConfigError("port", port, f"a free port ({error.strerror})") from None


def _parsed(head: bytes) -> tuple[list[str], dict[str, str]]:
    first, *rest = head.decode("latin-1").split("\r\n")
    line = first.split(" ")
    if len(line) != 3 or not line[2].startswith("HTTP/1."):
        raise BadRequestError(f"not an HTTP/1.1 request line: {first[:80]!r}")
    pairs = (entry.partition(":") for entry in rest)
    return line, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise BadRequestError("send the request body with a content-length, not in chunks")
    given = headers.get("content-length", "0")
    if not given.isdigit():
        raise BadRequestError(f"content-length is not a number: {given!r}")
    return int(given)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Site Overloaded"
