"""A provider that goes wrong on purpose: OpenAI's and Anthropic's wire protocols over real sockets, faults included.

In: requests of real SDKs. Out: answers after a `Script`, struck by a `Fault`; a `RequestLog` for each. It listens on
127.0.0.1 in a thread with an event loop of its own. It measures nothing and imports nothing that does: it is the other
side of the wire.

    with Provider() as provider:
        client = OpenAI(base_url=provider.base_url("stall"), api_key="any")

A request says what goes wrong, in this order: header `x-streamgauge-fault: NAME`; path `/fault/NAME/...`, which
`base_url` makes; a model called `NAME` or `demo-NAME`; else the provider's own `fault` or `mix`. Parameters (fields of
`Script`) come by header `x-streamgauge-script` (JSON), by query, by path (`/fault/NAME;pieces=50;gap_ms=20/...`), and
for all requests by `Provider(defaults=...)`. A request that does not stream meets only faults of HTTP: errors and
silence.
"""

import asyncio
import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from types import TracebackType
from typing import Any, Self

from streamgauge.demo import choice
from streamgauge.demo.background import Background
from streamgauge.demo.blows import PROBLEMS, Stage
from streamgauge.demo.faults import FAULTS, Fault, struck
from streamgauge.demo.log import RequestLog
from streamgauge.demo.script import Break, Frame, Hang, Script, Step, Wait, paced
from streamgauge.demo.wire import Route, route
from streamgauge.demo.wire.dialect import JSON, Call
from streamgauge.demo.wire.http1 import HOST, Connection, Request, listen
from streamgauge.errors import ConfigError

_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One request with all that was decided about it."""

    request: Request
    body: JSON
    route: Route
    fault: Fault
    script: Script
    log: RequestLog
    connection: Connection

    @property
    def streams(self) -> bool:
        return self.route.streams if self.route.streams is not None else bool(self.body.get("stream"))

    @property
    def headers(self) -> Mapping[str, str]:
        number = f"req_{self.log.id:08x}"
        return {"x-request-id": number, "request-id": number, "x-streamgauge-fault": self.fault.name}


class Provider:
    """The fault-injecting provider; a context manager that serves while it is open.

    Args:
        port: 0 for any free one.
        fault: what happens to requests that do not say it themselves.
        mix: instead of `fault`, weights by fault name, drawn with `seed`.
        seed: makes the order of the mix repeatable.
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
        self._mix = choice.Mix(mix or {fault: 1.0}, seed)
        self._defaults = Script().changed(defaults or {}, "defaults")
        self._numbers = count(1)
        self._requests: deque[RequestLog] = deque(maxlen=_KEPT)
        self._changed = threading.Condition()
        self._refused: dict[tuple[str, bytes], int] = {}
        self._background: dict[str, Background] = {}
        self._connections: set[Connection] = set()
        self._running: tuple[threading.Thread, asyncio.AbstractEventLoop, asyncio.Event] | None = None

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
        if self._running is None:
            listener = listen(self._port)
            self._port = listener.getsockname()[1]
            ready = threading.Event()
            name = "streamgauge-provider"
            threading.Thread(target=self._run, args=(listener, ready), name=name, daemon=True).start()
            ready.wait()
        return self

    def close(self) -> None:
        """Break off what is still open and stop; harmless when it is not running."""
        if self._running is None:
            return
        thread, loop, stop = self._running
        self._running = None
        loop.call_soon_threadsafe(stop.set)
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
        return f"http://{HOST}:{self._port}"

    def base_url(self, fault: str = "", api: str = "openai", **script: object) -> str:
        """What to give to a client as its `base_url` (Azure: `azure_endpoint`), so that all its calls meet the fault.

        Args:
            fault: name of a fault; empty for the provider's own choice.
            api: openai, anthropic, azure, bedrock, bedrock_openai, vertex or foundry.
            script: fields of `Script`; numbers and plain words only.

        Raises:
            ConfigError: no such fault, api or field.
        """
        return self.url + choice.prefix(fault, api, script)

    @property
    def requests(self) -> list[RequestLog]:
        """The last requests (up to 20,000), oldest first; the list is a copy, its logs are live."""
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
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        server = await loop.create_server(lambda: Connection(self._serve, self._connections), sock=listener)
        self._running = threading.current_thread(), loop, stop
        ready.set()
        await stop.wait()
        server.close()
        await asyncio.gather(*(connection.shut() for connection in list(self._connections)))
        await asyncio.sleep(0)
        await server.wait_closed()

    async def _serve(self, request: Request, connection: Connection) -> None:
        log = RequestLog(next(self._numbers), request.method, request.path, request.headers)
        with self._changed:
            self._requests.append(log)
        try:
            await self._answer(request, connection, log)
        except ConfigError as error:
            self._whole(connection, log, 400, _said(str(error)))
        except asyncio.CancelledError:
            log.client_closed_ns = connection.gone_ns
            self._over(log, "client_closed" if connection.gone_ns else "provider_closed")
            raise
        except Exception:
            self._over(log, "faulted")
            raise

    async def _answer(self, request: Request, connection: Connection, log: RequestLog) -> None:
        prefixed = choice.unprefixed(request.path)
        found = route(request.method, prefixed.path)
        if found is None:
            self._whole(connection, log, 404, _said(f"no such endpoint: {request.method} {prefixed.path}"))
            return
        body = request.json()
        log.api, log.platform = found.dialect.api, found.platform
        log.model = found.names.get("model") or str(body.get("model") or "")
        fault = choice.fault_of(request, prefixed, found, log.model, self._mix)
        log.fault = fault.name
        script = choice.script_of(request, prefixed, found, fault, self._defaults, body)
        await _ACTIONS[found.action](self, _Exchange(request, body, found, fault, script, log, connection))

    async def _generate(self, it: _Exchange) -> None:
        if self._is_refused(it):
            self._refuse(it)
            return
        if it.fault.silent:
            await asyncio.get_running_loop().create_future()
        dialect = it.route.dialect
        call = Call(it.script, it.log.id, it.log.model or "demo", int(time.time()), it.route.platform, it.body)
        it.log.response_id = dialect.identify(call)
        stored = None
        if dialect.api == "responses" and it.body.get("background"):
            stored = self._keep(it.log.response_id, Background(call, dialect))
        if it.streams:
            await self._play(it, call, stored.steps() if stored else paced(dialect.frames(call), it.script))
        else:
            self._whole(it.connection, it.log, 200, stored.state() if stored else dialect.whole(call), it.headers)

    def _keep(self, name: str, stored: Background) -> Background:
        if len(self._background) >= _KEPT:
            del self._background[next(iter(self._background))]
        self._background[name] = stored
        return stored

    async def _retrieve(self, it: _Exchange) -> None:
        stored = self._stored(it)
        if stored is None:
            return
        if it.request.query.get("stream") != "true":
            self._whole(it.connection, it.log, 200, stored.state(), it.headers)
            return
        after = it.request.query.get("starting_after", "")
        steps = stored.steps(int(after) if after.isdigit() else -1)
        await self._play(it, replace(stored.call, script=it.script), steps)

    async def _cancel(self, it: _Exchange) -> None:
        if stored := self._stored(it):
            self._whole(it.connection, it.log, 200, stored.cancel(), it.headers)

    def _stored(self, it: _Exchange) -> Background | None:
        it.log.response_id = it.route.names["id"]
        stored = self._background.get(it.log.response_id)
        if stored is None:
            message = f"Response with id '{it.log.response_id}' not found."
            self._whole(it.connection, it.log, 404, _said(message), it.headers)
        return stored

    async def _models(self, it: _Exchange) -> None:
        owner = {"object": "model", "created": 0, "owned_by": "streamgauge", "type": "model"}
        listed = [{"id": f"demo-{name}", "display_name": name, **owner} for name in FAULTS]
        self._whole(it.connection, it.log, 200, {"object": "list", "data": listed, "has_more": False}, it.headers)

    async def _health(self, it: _Exchange) -> None:
        self._whole(it.connection, it.log, 200, {"status": "ok", "faults": list(FAULTS)}, it.headers)

    async def _play(self, it: _Exchange, call: Call, steps: Iterable[Step]) -> None:
        dialect, connection, log = it.route.dialect, it.connection, it.log
        log.streamed = True
        connection.start(200, {"content-type": dialect.content_type, "cache-control": "no-cache", **it.headers})
        self._began(log, 200)
        for step in struck(steps, it.fault, Stage(call, dialect)):
            match step:
                case Frame():
                    connection.chunk(dialect.encode(step))
                    log.sent(step)
                    await connection.drain()
                case Wait(ms):
                    await asyncio.sleep(ms / 1000)
                case Hang():
                    await asyncio.get_running_loop().create_future()
                case Break(reset):
                    self._over(log, "faulted")
                    connection.break_off(reset=reset)
                    return
        self._over(log, "completed" if log.terminal else "faulted")
        connection.finish()

    def _is_refused(self, it: _Exchange) -> bool:
        if it.fault.refuses <= 0:
            return it.fault.refuses < 0
        if "x-stainless-retry-count" in it.request.headers:
            return it.log.retry_count < it.fault.refuses
        # A client that does not count its attempts: the same request again is taken for the next one.
        key = (it.request.path, it.request.body)
        refused = self._refused.pop(key, 0)
        if refused < it.fault.refuses:
            self._refused[key] = refused + 1
        return refused < it.fault.refuses

    def _refuse(self, it: _Exchange) -> None:
        dialect = it.route.dialect
        status = it.fault.http_status(dialect.api)
        wait = it.script.retry_ms
        advice = {"retry-after-ms": f"{wait:g}", "retry-after": str(max(1, round(wait / 1000)))}
        problem = PROBLEMS[status]
        headers = {**it.headers, **dialect.headers(problem), **(advice if status >= 429 else {})}
        self._whole(it.connection, it.log, status, dialect.problem(problem), headers, "faulted")

    def _whole(
        self,
        connection: Connection,
        log: RequestLog,
        status: int,
        body: JSON,
        headers: Mapping[str, str] | None = None,
        ended: str = "completed",
    ) -> None:
        self._began(log, status)
        self._over(log, ended)
        connection.whole(status, body, headers or {})

    def _began(self, log: RequestLog, status: int) -> None:
        with self._changed:
            log.began(status)
            self._changed.notify_all()

    def _over(self, log: RequestLog, how: str) -> None:
        with self._changed:
            log.over(how)
            self._changed.notify_all()


_ACTIONS: Mapping[str, Callable[[Provider, _Exchange], Coroutine[Any, Any, None]]] = {
    "answer": Provider._generate,
    "retrieve": Provider._retrieve,
    "cancel": Provider._cancel,
    "models": Provider._models,
    "health": Provider._health,
}


def closed_port() -> int:
    """A port that refuses connections: it was free a moment ago and nobody listens on it."""
    with listen(0) as listener:
        return int(listener.getsockname()[1])


def _said(message: str) -> JSON:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return {"type": "error", "error": error}
