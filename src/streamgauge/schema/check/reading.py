"""Bytes in, plain values out: one line at a time, and of an export request one span, metric or log record at a time.

With msgspec (extra `schema`) the items of an export request stay raw until `whole` reads each, so that a batch of
thousands costs the memory of one; without it the standard library reads the line at once: slower, to the same values.
"""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, TypedDict

try:
    import msgspec
except ImportError:  # the check works without it
    msgspec = None  # type: ignore[assignment]

LINE_LIMIT = 256 * 1024 * 1024


def read_lines(stream: BinaryIO, limit: int = LINE_LIMIT) -> Iterator[bytes]:
    """Lines with their newlines; one longer than `limit` comes cut off at `limit` + 1 bytes, its rest is skipped."""
    while line := stream.readline(limit + 1):
        yield line
        while len(line) > limit and not line.endswith(b"\n"):
            line = stream.readline(limit + 1)
            if not line:
                return


if msgspec is None:

    def parse(line: bytes) -> Any:
        """The value that a line holds; ValueError or RecursionError when it holds none."""
        return json.loads(line)

    def whole(item: Any) -> Any:
        """An item of an export request, read."""
        return item

else:

    class _Scope(TypedDict, total=False):
        scope: Any
        schemaUrl: Any
        spans: list[msgspec.Raw]
        metrics: list[msgspec.Raw]
        logRecords: list[msgspec.Raw]

    class _Resource(TypedDict, total=False):
        scopeSpans: list[_Scope]
        scopeMetrics: list[_Scope]
        scopeLogs: list[_Scope]

    class _Request(TypedDict, total=False):
        resourceSpans: list[_Resource]
        resourceMetrics: list[_Resource]
        resourceLogs: list[_Resource]

    _request = msgspec.json.Decoder(_Request).decode
    _anything = msgspec.json.Decoder().decode

    def parse(line: bytes) -> Any:
        """The value that a line holds; ValueError or RecursionError when it holds none."""
        if line.startswith(b'{"resource'):
            try:
                return _request(line)
            except msgspec.MsgspecError:
                pass  # of another shape, or broken: read it slowly and tell what is wrong
        return json.loads(line)

    def whole(item: Any) -> Any:
        """An item of an export request, read; ValueError or RecursionError when it cannot be."""
        if not isinstance(item, msgspec.Raw):
            return item
        try:
            return _anything(item)
        except msgspec.MsgspecError:
            return json.loads(bytes(item))
