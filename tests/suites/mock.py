"""Answers the SDKs' api_resources tests, as their authors' mock server does: from the return types in api.md.

    python mock.py SDK API_MD

Runs in the environment of the suite; prints the port. A call gets the smallest example of the type that its method
returns, a call that asks for a stream an empty one.
"""

import datetime
import importlib
import inspect
import json
import pkgutil
import re
import sys
import types
import typing
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pydantic

DEEPEST = 12
PLAIN: tuple[tuple[type, Any], ...] = (
    (bool, True),
    (int, 1),
    (float, 1.5),
    (str, "text"),
    (datetime.datetime, "2024-01-01T00:00:00Z"),
    (datetime.date, "2024-01-01"),
)
_ROUTE = re.compile(r'<code title="(\w+) ([^"?]+)[^"]*">.*?-> (.*?)</code>')
_LINK = re.compile(r'<a href="(?:\./)?src/([^"]+)\.py">([^<]+)</a>')


def example(kind: Any, depth: int = 0) -> Any:
    """The smallest JSON value of a type: required fields, first of a choice, None where that is allowed."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if depth > DEEPEST:
        return None
    if type(kind).__name__ == "TypeAliasType":
        return example(kind.__value__, depth)
    if origin is typing.Annotated:
        return example(arguments[0], depth)
    if origin is typing.Literal:
        return arguments[0]
    if origin in (typing.Union, types.UnionType):
        return None if type(None) in arguments else example(arguments[0], depth + 1)
    if origin is list:
        return [example(arguments[0], depth + 1)] if depth < 5 else []
    made = origin if inspect.isclass(origin) else kind
    if inspect.isclass(made) and issubclass(made, pydantic.BaseModel):
        fields = made.model_fields.items()
        return {f.alias or name: example(f.annotation, depth + 1) for name, f in fields if f.is_required()}
    return next((value for plain, value in PLAIN if inspect.isclass(made) and issubclass(made, plain)), {})


class Routes:
    """Method and path to the body that is answered."""

    def __init__(self, sdk: str, text: str) -> None:
        self._modules = dict(self._crawl(importlib.import_module(f"{sdk}.types")))
        rows = [match.groups() for match in _ROUTE.finditer(text)]
        rows.sort(key=lambda row: row[1].count("{"))
        self._rows = [(verb.upper(), self._pattern(path), returned) for verb, path, returned in rows]

    def _crawl(self, package: Any) -> Iterator[tuple[str, Any]]:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield found.name, importlib.import_module(found.name)

    def _pattern(self, path: str) -> re.Pattern[str]:
        return re.compile("(/v1)?" + re.sub(r"\\\{.+?\\\}", "[^/]+", re.escape(path)))

    def answer(self, verb: str, path: str) -> Any:
        """A JSON value, bytes, or None for an empty body."""
        returned = next((r for v, pattern, r in self._rows if v == verb and pattern.fullmatch(path)), "object")
        link = _LINK.search(returned)
        if link is None:
            return None if "None" in returned else {}
        module, name = link[1].replace("/", "."), link[2]
        if re.search("Binary|JSONL", name):
            return b"content"
        page = re.fullmatch(r"\w*Page\w*\[(.*)\]", name)
        body = "text" if name == "str" else example(self._type(module, page[1] if page else name))
        return {"data": [body], "object": "list", "has_more": False, "first_id": "a", "last_id": "b"} if page else body

    def _type(self, module: str, name: str) -> Any:
        places = [self._modules.get(module), *self._modules.values()]
        return next((vars(place)[name] for place in places if place is not None and name in vars(place)), object)


class Handler(BaseHTTPRequestHandler):
    """One request of a suite."""

    protocol_version = "HTTP/1.1"
    routes: Routes

    def answer(self) -> None:
        """Read it whole and answer it."""
        asked = self._asked()
        body = self.routes.answer(self.command, self.path.partition("?")[0])
        kind, raw = "application/json", b"" if body is None else json.dumps(body, default=str).encode()
        if b'"stream":true' in asked.replace(b" ", b""):
            kind, raw = "text/event-stream", b""
        elif isinstance(body, bytes):
            kind, raw = "application/octet-stream", body
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw if self.command != "HEAD" else b"")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815 - their names

    def _asked(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, *_: object) -> None:
        """Thousands of requests are no news."""


class Server(ThreadingHTTPServer):
    """Many workers at once, on a port of its own."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave early are part of a suite."""


if __name__ == "__main__":
    Handler.routes = Routes(sys.argv[1], Path(sys.argv[2]).read_text())
    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
