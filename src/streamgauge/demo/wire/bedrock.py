"""Anthropic Messages inside Amazon's event stream: binary messages with headers and two CRCs around every event.

Source: the AWS event stream encoding (prelude of total length, headers length and CRC-32; headers; payload; CRC-32 of
all), as `botocore.eventstream` reads it. An event is `{"bytes": <base64 of the Messages event>}`; an error is a message
of type `exception`.
"""

import base64
from collections.abc import Mapping
from struct import pack
from zlib import crc32

from streamgauge.demo.script import Frame
from streamgauge.demo.wire.dialect import JSON, Call, Problem, text_of
from streamgauge.demo.wire.messages import Messages

_STRING = 7


class Bedrock(Messages):
    """`/model/{model}/invoke-with-response-stream`."""

    content_type = "application/vnd.amazon.eventstream"

    def error_type(self, problem: Problem) -> str:
        """Amazon's exception type."""
        return problem.aws_type

    def problem(self, problem: Problem) -> JSON:
        """Amazon's error body; the type travels in a header."""
        return {"message": problem.message}

    def headers(self, problem: Problem) -> Mapping[str, str]:
        """The header with the exception's type."""
        return {"x-amzn-errortype": problem.aws_type[0].upper() + problem.aws_type[1:]}

    def error(self, call: Call, problem: Problem, instead: Frame) -> tuple[Frame, ...]:  # noqa: ARG002 - the dialect's signature
        """A message of type `exception`."""
        headers = {
            ":exception-type": problem.aws_type,
            ":content-type": "application/json",
            ":message-type": "exception",
        }
        return (Frame(message(headers, text_of(self.problem(problem)).encode()), "other"),)

    def gateway(self, frame: Frame) -> tuple[Frame, ...]:
        """The message without its id: this framing has no comments."""
        return super().gateway(frame)[1:]

    def encode(self, frame: Frame) -> bytes:
        """The bytes of a frame."""
        if isinstance(frame.payload, bytes):
            return frame.payload
        wrapped = {"bytes": base64.b64encode(text_of(frame.payload).encode()).decode(), "p": "abcdefghijk"}
        headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
        return message(headers, text_of(wrapped).encode())


def message(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of the event stream: its headers are all strings."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    prelude = pack("!II", len(head) + len(payload) + 16, len(head))
    body = prelude + pack("!I", crc32(prelude)) + head + payload
    return body + pack("!I", crc32(body))


def _header(name: str, value: str) -> bytes:
    return pack("!B", len(name)) + name.encode() + pack("!BH", _STRING, len(value)) + value.encode()
