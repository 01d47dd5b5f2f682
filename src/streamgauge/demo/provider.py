"""A provider that goes wrong on purpose: OpenAI's and Anthropic's wire protocols over real sockets, faults included.

In: requests of real SDKs. Out: answers after a `Script`, struck by a `Fault`; a `RequestLog` for each. It listens on 127.0.0.1 in a
thread with an event loop of its own. It measures nothing and imports nothing that does: it is the other side of the wire.

    with Provider() as provider:
        client = OpenAI(base_url=provider.base_url("stall"), api_key="any")

A request says what goes wrong, in this order: header `x-streamgauge-fault: NAME`; path `/fault/NAME/...`, which `base_url` makes; a
model called `NAME` or `demo-NAME`; else the provider's own `fault` or `mix`. Parameters (fields of `Script`): header
`x-streamgauge-script` (JSON), query, path (`/fault/NAME;pieces=50;gap_ms=20/...`), and for all requests `Provider(defaults=...)`.
"""

import asyncio
import contextlib
import json
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from types import TracebackType
from typing import Any, Self

from streamgauge.demo.background import Background
from streamgauge.demo.faults import FAULTS, PROBLEMS, Expected, Fault, Stage, fault_named, struck
from streamgauge.demo.script import Break, Frame, Hang, Script, Step, Wait, paced
from streamgauge.demo.wire import ROOTS, Route, route
from streamgauge.demo.wire.dialect import JSON, Call, Dialect
from streamgauge.demo.wire.http1 import Connection, Request
from streamgauge.errors import ConfigError

_PREFIX = re.compile(r"/fault/(?P<name>[^/;]+)(?P<params>(;[^/]*)?)(?P<rest>/.*|)")
_HOST = "127.0.0.1"
_ONLY_OURS = ("beta", "api-version", "stream", "starting_after", "include", "include_obfuscation")


@dataclass(slots=True)
class RequestLog:
    """What the provider did for one request. Times are nanoseconds of the monotonic clock.

    `ended` is empty while the request is open, then completed, faulted, client_closed or provider_closed. `first_byte_ns` is the
    answer's head, `first_piece_ns` its first piece of content. `client_closed_ns` is when a client left that had not got everything;
    `terminal` whether the API's terminal marker went out.
    """

    id: int
    method: str
    path: str
    started_ns: int
    api: str = ""
    platform: str = ""
    model: str = ""
    fault: str = ""
    streamed: bool = False
    retry_count: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None
    response_id: str = ""
    first_byte_ns: int | None = None
    first_piece_ns: int | None = None
    last_piece_ns: int | None = None
    ended_ns: int | None = None
    client_closed_ns: int | None = None
    pieces_sent: int = 0
    characters_sent: int = 0
    terminal: bool = False
    ended: str = ""

    @property
    def expected(self) -> Expected:
        """What an observer of this request's stream should report."""
        return FAULTS[self.fault or "healthy"].expected(self.api)

    def sent(self, frame: Frame) -> None:
        """Count a frame that has gone out."""
        self.terminal = self.terminal or frame.role in ("finish", "end")
        if frame.role == "content":
            self.last_piece_ns = time.monotonic_ns()
            self.first_piece_ns = self.first_piece_ns or self.last_piece_ns
            self.pieces_sent += 1
            self.characters_sent += frame.characters


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One request with all that was decided about it."""

    request: Request
    route: Route
    fault: Fault
    script: Script
    body: JSON
    log: RequestLog
    connection: Connection


class Provider:
    """The fault-injecting provider; a context manager that serves while it is open.

    Args:
        port: 0 for any free one.
        fault: what happens to requests that do not say it themselves.
        mix: instead of `fault`, weights by fault name, drawn with `seed`.
        defaults: fields of `Script` for all requests.

    Raises:
        ConfigError: no such fault, field or weight.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        fault: str = "healthy",
        mix: Mapping[str, float] | None = None,
        seed: int = 0,
        defaults: Mapping[str, object] | None = None,
    ) -> None:
        self._port = port
        weights = dict(mix or {fault: 1.0})
        self._drawn = [fault_named(name, "mix" if mix else "fault") for name in weights]
        self._weights = list(weights.values())
        if min(self._weights) < 0 or not sum(self._weights):
            raise ConfigError("mix", weights, "weights of 0 or more, one of them above 0")
        self._chance = random.Random(seed)  # noqa: S311 - traffic, not secrets
        self._defaults = Script().changed(defaults or {}, "defaults")
        self._numbers = count(1)
        self._requests: list[RequestLog] = []
        self._changed = threading.Condition()
        self._refused: dict[tuple[str, bytes], int] = {}
        self._background: dict[str, Background] = {}
        self._connections: set[Connection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Listen; returns when requests can come.

        Raises:
            ConfigError: the port is taken.
        """
        if self._thread is not None:
            return self
        listener = _listener(self._port)
        self._port = listener.getsockname()[1]
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(listener, ready), name="streamgauge-provider", daemon=True
        )
        self._thread.start()
        ready.wait()
        return self

    def close(self) -> None:
        """Break off what is still open and stop; harmless when it is not running."""
        thread, loop = self._thread, self._loop
        if thread is None or loop is None:
            return
        self._thread = self._loop = None
        loop.call_soon_threadsafe(self._stop.set)
        thread.join()

    def serve_forever(self) -> None:
        """Serve until interrupted (Ctrl-C)."""
        self.start()
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
        self.close()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Root address, without a path."""
        return f"http://{_HOST}:{self._port}"

    def base_url(self, fault: str = "", api: str = "openai", **script: object) -> str:
        """What to give to a client as its `base_url` (`azure_endpoint` for Azure), so that all its calls meet the fault.

        Args:
            fault: name of a fault; empty for the provider's own choice.
            api: openai, anthropic, azure, bedrock, bedrock_openai, vertex or foundry.
            script: fields of `Script`; numbers and plain words only.
        """
        if api not in ROOTS:
            raise ConfigError("api", api, f"one of {', '.join(ROOTS)}", "base_url")
        if not fault and not script:
            return self.url + ROOTS[api]
        Script().changed(script, "base_url")
        params = "".join(f";{name}={value}" for name, value in script.items())
        return f"{self.url}/fault/{fault_named(fault or 'healthy', 'base_url').name}{params}{ROOTS[api]}"

    @property
    def requests(self) -> list[RequestLog]:
        """All requests so far, oldest first; the list is a copy, its logs are live."""
        with self._changed:
            return list(self._requests)

    def wait_for(self, predicate: Callable[[RequestLog], bool], timeout: float = 5.0) -> RequestLog:
        """The first request for which the predicate is or becomes true; `timeout` in seconds.

        Raises:
            TimeoutError: with what the requests looked like.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for log in self._requests:
                    if predicate(log):
                        return log
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no request was as expected within {timeout} s: {self._requests}")
                self._changed.wait(0.01)

    def _run(self, listener: socket.socket, ready: threading.Event) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._listen(listener, ready))

    async def _listen(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(
            lambda: Connection(self._serve, self._connections), sock=listener, backlog=1024
        )
        ready.set()
        await self._stop.wait()
        server.close()
        await asyncio.gather(*(connection.shut() for connection in list(self._connections)))
        await asyncio.sleep(0)
        await server.wait_closed()

    async def _serve(self, request: Request, connection: Connection) -> None:
        log = RequestLog(
            next(self._numbers), request.method, request.path, time.monotonic_ns(), headers=request.headers
        )
        log.retry_count = _attempts(request)
        with self._changed:
            self._requests.append(log)
        try:
            await self._answer(request, connection, log)
        except ConfigError as error:
            self._whole(connection, log, 400, _said(str(error)))
        except asyncio.CancelledError:
            log.client_closed_ns = connection.gone_ns
            self._end(log, "client_closed" if connection.gone_ns else "provider_closed")
            raise
        except Exception:
            self._end(log, "faulted")
            raise

    async def _answer(self, request: Request, connection: Connection, log: RequestLog) -> None:
        name, params, path = _unprefixed(request.path)
        found = route(request.method, path)
        if found is None:
            self._whole(connection, log, 404, _said(f"no such endpoint: {request.method} {path}"))
            return
        body = request.json()
        log.api, log.platform = found.dialect.api, found.platform
        log.model = found.names.get("model") or str(body.get("model") or "")
        fault = self._fault(found, request, name, log.model)
        log.fault = fault.name
        script = _scripted(self._defaults.changed(fault.changes), request, params)
        await _ACTIONS[found.action](self, _Exchange(request, found, fault, script, body, log, connection))

    def _fault(self, found: Route, request: Request, prefixed: str, model: str) -> Fault:
        if header := request.headers.get("x-streamgauge-fault"):
            return fault_named(header, "header x-streamgauge-fault")
        if found.action != "answer":
            return FAULTS["healthy"]
        if prefixed:
            return fault_named(prefixed, "path")
        named = FAULTS.get(model.removeprefix("demo-").replace("-", "_"))
        return named or self._chance.choices(self._drawn, self._weights)[0]

    async def _generate(self, it: _Exchange) -> None:
        dialect = it.route.dialect
        if self._is_refused(it):
            status = it.fault.http_status(dialect.api)
            self._whole(
                it.connection,
                it.log,
                status,
                dialect.problem(PROBLEMS[status]),
                _retry_headers(status, it.script),
                "faulted",
            )
            return
        if it.fault.silent:
            await asyncio.get_running_loop().create_future()
        call = Call(it.script, it.log.id, it.log.model or "demo", int(time.time()), it.route.platform, it.body)
        it.log.response_id = dialect.identify(call)
        if it.body.get("background") and dialect.api == "responses":
            self._background[it.log.response_id] = Background(call, dialect)
        streams = it.route.streams if it.route.streams is not None else bool(it.body.get("stream"))
        if not streams:
            stored = self._background.get(it.log.response_id)
            self._whole(it.connection, it.log, 200, stored.state() if stored else dialect.whole(call), _ids(it))
            return
        stored = self._background.get(it.log.response_id)
        steps = stored.steps() if stored else paced(dialect.frames(call), it.script)
        await self._play(it, struck(steps, it.fault, Stage(call, dialect)), dialect)

    async def _retrieve(self, it: _Exchange) -> None:
        stored = self._stored(it)
        if stored is None:
            return
        if it.request.query.get("stream") != "true":
            self._whole(it.connection, it.log, 200, stored.state(), _ids(it))
            return
        after = int(it.request.query.get("starting_after") or -1)
        call = replace(stored.call, script=it.script, sequence=count(10_000))
        await self._play(it, struck(stored.steps(after), it.fault, Stage(call, it.route.dialect)), it.route.dialect)

    async def _cancel(self, it: _Exchange) -> None:
        stored = self._stored(it)
        if stored is not None:
            self._whole(it.connection, it.log, 200, stored.cancel(), _ids(it))

    def _stored(self, it: _Exchange) -> Background | None:
        it.log.response_id = it.route.names["id"]
        stored = self._background.get(it.log.response_id)
        if stored is None:
            self._whole(it.connection, it.log, 404, _said(f"Response with id {it.log.response_id!r} not found."))
        return stored

    async def _models(self, it: _Exchange) -> None:
        listed = [{"id": f"demo-{name}", "object": "model", "created": 0, "owned_by": "streamgauge"} for name in FAULTS]
        self._whole(it.connection, it.log, 200, {"object": "list", "data": listed, "has_more": False})

    async def _health(self, it: _Exchange) -> None:
        self._whole(it.connection, it.log, 200, {"status": "ok", "faults": list(FAULTS)})

    async def _play(self, it: _Exchange, steps: Iterable[Step], dialect: Dialect) -> None:
        it.log.streamed = True
        it.connection.start(200, {"content-type": dialect.content_type, "cache-control": "no-cache", **_ids(it)})
        self._began(it.log, 200)
        for step in steps:
            match step:
                case Frame():
                    it.connection.chunk(dialect.encode(step))
                    it.log.sent(step)
                    await it.connection.drain()
                case Wait(ms):
                    await asyncio.sleep(ms / 1000)
                case Hang():
                    await asyncio.get_running_loop().create_future()
                case Break(reset):
                    it.connection.break_off(reset=reset)
                    self._end(it.log, "faulted")
                    return
        self._end(it.log, "completed" if it.log.terminal else "faulted")
        it.connection.finish()

    def _is_refused(self, it: _Exchange) -> bool:
        if it.fault.refuses <= 0:
            return it.fault.refuses < 0
        if "x-stainless-retry-count" in it.request.headers:
            return it.log.retry_count < it.fault.refuses
        key = (it.request.path, it.request.body)
        self._refused[key] = self._refused.get(key, 0) + 1
        return self._refused[key] % (it.fault.refuses + 1) != 0

    def _whole(
        self,
        connection: Connection,
        log: RequestLog,
        status: int,
        body: JSON,
        headers: Mapping[str, str] | None = None,
        ended: str = "completed",
    ) -> None:
        connection.whole(status, body, headers or {})
        self._began(log, status)
        self._end(log, ended)

    def _began(self, log: RequestLog, status: int) -> None:
        with self._changed:
            log.status, log.first_byte_ns = status, time.monotonic_ns()
            self._changed.notify_all()

    def _end(self, log: RequestLog, how: str) -> None:
        with self._changed:
            log.ended, log.ended_ns = log.ended or how, log.ended_ns or time.monotonic_ns()
            self._changed.notify_all()


_ACTIONS: Mapping[str, Callable[[Provider, _Exchange], Any]] = {
    "answer": Provider._generate,
    "retrieve": Provider._retrieve,
    "cancel": Provider._cancel,
    "models": Provider._models,
    "health": Provider._health,
}


def closed_port() -> int:
    """A port that refuses connections: it was free a moment ago and nobody listens on it."""
    with _listener(0) as listener:
        return int(listener.getsockname()[1])


def _listener(port: int) -> socket.socket:
    try:
        return socket.create_server((_HOST, port))
    except OSError as error:
        raise ConfigError("port", port, f"a free port ({error.strerror})") from None


def _unprefixed(path: str) -> tuple[str, Mapping[str, object], str]:
    found = _PREFIX.fullmatch(path)
    if found is None:
        return "", {}, path
    pairs = (pair.partition("=") for pair in found["params"].split(";") if pair)
    return found["name"], {name: value for name, _, value in pairs}, found["rest"] or "/"


def _scripted(script: Script, request: Request, params: Mapping[str, object]) -> Script:
    asked = {name: value for name, value in request.query.items() if name not in _ONLY_OURS}
    script = script.changed(params, "path").changed(asked, "query")
    header = request.headers.get("x-streamgauge-script")
    if not header:
        return script
    try:
        given = dict(json.loads(header))
    except (ValueError, TypeError):
        raise ConfigError("x-streamgauge-script", header, "a JSON object", "header") from None
    return script.changed(given, "header x-streamgauge-script")


def _attempts(request: Request) -> int:
    given = request.headers.get("x-stainless-retry-count", "0")
    return int(given) if given.isdigit() else 0


def _retry_headers(status: int, script: Script) -> Mapping[str, str]:
    if status in (400, 401):
        return {}
    return {"retry-after-ms": str(script.retry_ms), "retry-after": str(max(1, round(script.retry_ms / 1000)))}


def _ids(it: _Exchange) -> Mapping[str, str]:
    return {
        "x-request-id": f"req_{it.log.id:08x}",
        "request-id": f"req_{it.log.id:08x}",
        "x-streamgauge-fault": it.fault.name,
    }


def _said(message: str) -> JSON:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return {"type": "error", "error": error}
