"""Recorded wire bytes of every provider give the events of their golden, however the bytes are cut."""

import json
from importlib import import_module
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.replay import REPLAYS, events, golden, recordings, wire

from streamgauge.events import WORDS
from streamgauge.providers import Api, Provider, providers

ALL = recordings()


@pytest.mark.parametrize("provider,api,fault", ALL, ids=lambda part: part)
def test_recording_gives_the_events_of_its_golden(provider: str, api: str, fault: str) -> None:
    assert events(provider, api, [wire(provider, api, fault)]) == json.loads(golden(provider, api, fault).read_text())


def cut(body: bytes, places: list[int]) -> list[bytes]:
    """The body in pieces, cut at these places."""
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ALL), st.lists(st.integers(0, 10_000), max_size=60))
def test_events_do_not_depend_on_how_the_bytes_are_cut(one: tuple[str, str, str], places: list[int]) -> None:
    body = wire(*one)
    assert events(one[0], one[1], cut(body, places)) == json.loads(golden(*one).read_text())


@pytest.mark.parametrize("one", [one for one in ALL if one[2] in ("null_fields", "gateway")], ids=".".join)
def test_events_are_the_same_byte_by_byte(one: tuple[str, str, str]) -> None:
    body = wire(*one)
    assert events(one[0], one[1], [body[n : n + 1] for n in range(len(body))]) == json.loads(golden(*one).read_text())


# conformance: whatever provider file there is


PROVIDERS = list(providers())


def apis(provider: Provider) -> list[Api]:
    """The APIs that a provider's file knows."""
    found = vars(import_module(f"streamgauge.providers.{provider.name}")).values()
    nested = [each for value in found for each in (value if isinstance(value, tuple) else (value,))]
    return list({api.name: api for api in nested if isinstance(api, Api)}.values())


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_every_api_of_every_provider_has_recordings_of_its_ends(provider: Provider) -> None:
    assert apis(provider)
    for api in apis(provider):
        recorded = {fault for name, path, fault in ALL if (name, path) == (provider.name, api.name)}
        assert {"healthy", "truncated", "error_event", "garbage", "gateway", "null_fields"} <= recorded
        assert (provider.name, api.name) in REPLAYS


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_every_hook_that_a_provider_names_is_there(provider: Provider) -> None:
    for path in (*provider.clients, *provider.streams):
        module, _, name = path.partition(":")
        owner = getattr(import_module(module), name)
        methods = (provider.request, provider.attempt) if path in provider.clients else (provider.stream,)
        assert all(callable(getattr(owner, method)) for method in methods)
        if path in provider.streams:
            names = getattr(owner, provider.stream).__code__.co_varnames
            assert all(api.frame_name in names for api in apis(provider) if api.last_frame is not None)
    assert provider.versions
    assert provider.distribution


@pytest.mark.parametrize("one", ALL, ids=lambda one: ".".join(one))
def test_goldens_speak_the_words_of_the_vocabulary_alone(one: tuple[str, str, str]) -> None:
    told = json.loads(golden(*one).read_text())
    assert {event[0] for event in told["events"]} <= WORDS
    said = "".join(event[1] for event in told["events"] if event[0] in ("text", "reasoning"))
    assert said or told["failure"] or one[2] in ("empty", "refusal", "truncated_frame")
