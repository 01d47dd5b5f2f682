"""Any iterator of chunks: text, dicts, objects, of a known shape or none; fields missing or null."""

from types import SimpleNamespace
from typing import Any

import pytest

from streamgauge.events import EventLog
from streamgauge.providers.generic import generic_reader

DELTA = {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}]}
STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def events(*chunks: Any) -> list[tuple[Any, ...]]:
    log, read = EventLog(), generic_reader()
    for chunk in chunks:
        if piece := read(chunk, log):  # type: ignore[arg-type]
            log.text(piece)  # type: ignore[operator]
    return [(event.name, *event.arguments) for event in log.events if event.name != "response"]


@pytest.mark.parametrize(
    "chunks,told",
    [
        (["a", "", "b"], [("text", "a"), ("text", "b")]),
        ([{"text": "a"}, {"content": "b"}], [("text", "a"), ("text", "b")]),
        ([SimpleNamespace(text="a"), SimpleNamespace(content="b")], [("text", "a"), ("text", "b")]),
        ([DELTA, STOP], [("expects_marker",), ("text", "hi"), ("finish", 0, "stop")]),
        (
            [{"type": "response.output_text.delta", "delta": "x", "sequence_number": 1}],
            [("expects_marker",), ("text", "x")],
        ),
        (
            [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}],
            [("expects_marker",), ("text", "x")],
        ),
        ([{"other": 1}], [("unrecognised",)]),
        ([None, 1, 2.5, ["a"], b"bytes"], [("unrecognised",)] * 5),
        ([{"choices": [{"delta": None}]}, {"choices": None}, {}], [("expects_marker",)]),
    ],
)
def test_shape_is_taken_from_the_first_chunk_that_has_one(chunks: list[Any], told: list[tuple[Any, ...]]) -> None:
    assert events(*chunks) == told
