"""One more provider is one more file: beside a made-up SDK it is all that it takes to have its streams told."""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.capture.watching import watching

import streamgauge.providers
from streamgauge.names import Outcome

SDK = """
import types

class Body:
    closed = False
    def close(self):
        self.closed = True

class Response:
    status_code = 200
    def __init__(self):
        self.stream = Body()
    def close(self):
        self.stream.close()

class Stream:
    def __init__(self, lines):
        self.response = Response()
        self._lines = lines
        self._iterator = self.chunks()
    def chunks(self):
        for line in self._lines:
            if line == "boom":
                raise ConnectionError("lost")
            yield {"say": line}
    def __iter__(self):
        return self._iterator

class Client:
    base_url = types.SimpleNamespace(host="api.madeup.example", port=None)
    def call(self, cast_to, options, *, stream=False):
        options = self.prepare(options)
        return Stream(options["lines"]) if stream else "".join(options["lines"])
    def prepare(self, options):
        return dict(options)
    def talk(self, *lines):
        return self.call(dict, {"lines": lines, "model": "parrot-1"}, stream=True)
"""

FILE = '''
"""A made-up provider."""

import re
from streamgauge.providers import Api, Provider, Request


def reader():
    def read(chunk, sink):
        if chunk["say"] == "bye":
            sink.finish(0, "stop")
            return None
        return chunk["say"]
    return read


API = Api("talk", re.compile("."), "chat", reader, finish_ends=True)


def read_request(client, options):
    return Request(API, "madeup", options.get("model"), client.base_url.host)


PROVIDER = Provider(
    name="madeup", distribution="madeup", versions=">=1", clients=("madeup:Client",), streams=("madeup:Stream",),
    read_request=read_request, request="call", attempt="prepare", stream="chunks",
)
'''


@pytest.fixture
def madeup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    sdk, files = tmp_path / "sdk", tmp_path / "files"
    for folder, text in ((sdk, SDK), (files, FILE)):
        folder.mkdir()
        (folder / "madeup.py").write_text(text)
    monkeypatch.syspath_prepend(str(sdk))
    monkeypatch.setattr(streamgauge.providers, "__path__", [*streamgauge.providers.__path__, str(files)])
    streamgauge.providers.provider_named.cache_clear()
    import madeup as module  # type: ignore[import-not-found]

    yield module
    for name in ("madeup", "streamgauge.providers.madeup"):
        sys.modules.pop(name, None)
    streamgauge.providers.provider_named.cache_clear()


def test_made_up_sdk_is_observed_by_one_file(madeup: Any) -> None:
    gc.collect()  # a client that another test watched and dropped keeps the hooks in as long as it is there
    with watching() as watch:
        assert list(madeup.Client().talk("a", "b", "bye")) == [{"say": "a"}, {"say": "b"}, {"say": "bye"}]
        report = watch.one(Outcome.COMPLETED)
        assert (report.provider, report.model, report.server_address) == ("madeup", "parrot-1", "api.madeup.example")
        assert (report.chunks, report.characters.text, report.attempts, report.http_status) == (3, 2, 1, 200)
        assert madeup.Client().call(str, {"lines": ["x"]}) == "x"
        assert len(watch.reports) == 1
    assert not hasattr(madeup.Client.call, "__wrapped__")


def test_made_up_sdk_that_breaks_is_told_as_broken(madeup: Any) -> None:
    with watching() as watch:
        with pytest.raises(ConnectionError, match="lost"):
            list(madeup.Client().talk("a", "boom"))
        assert watch.one(Outcome.FAILED).failure_mode == "network_mid_stream"
        assert list(madeup.Client().talk("cut")) == [{"say": "cut"}]
        assert watch.reports[-1].outcome is Outcome.TRUNCATED


def test_sdk_of_an_unknown_version_is_left_alone_with_one_line(madeup: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamgauge.gauge.patching.version", lambda name: "0.9" if name == "madeup" else "9.9")
    monkeypatch.setattr("streamgauge.gauge.patching._left_alone", set())
    before = SimpleNamespace(**{name: vars(madeup.Client)[name] for name in ("call", "prepare")})
    with watching() as watch:
        assert len(list(madeup.Client().talk("a", "bye"))) == 2
        assert vars(madeup.Client)["call"] is before.call
        assert watch.reports == []
        assert "leaves madeup 0.9 alone" in "".join(watch.complaints.said)
        streamgauge.uninstrument()
        streamgauge.instrument()
        watch.expected_complaints = len(watch.complaints.said)
        assert watch.expected_complaints == 3
