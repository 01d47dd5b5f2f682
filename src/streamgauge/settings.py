"""Settings: every choice a user has, typed, from code or from STREAMGAUGE_* variables, checked once.

A value that is not allowed is a `ConfigError` naming the variable, the value and what is allowed, when the settings
are made; never a surprise in a stream. Nothing is read from the environment anywhere else, but for the OTEL_*
variables that the OpenTelemetry SDK reads itself."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from streamgauge import names
from streamgauge.errors import ConfigError

PREFIX = "STREAMGAUGE_"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value may be: how to read it from text, how to test it, and how to say it."""

    parse: Callable[[str], Any]
    test: Callable[[Any], bool]
    allowed: str


def _one_of(*words: str) -> Rule:
    return Rule(str, lambda value: value in words, "one of " + ", ".join(words))


def _number(low: float, high: float, kind: type = float) -> Rule:
    what = "a whole number" if kind is int else "a number"
    return Rule(
        kind,
        lambda value: type(value) in (int, kind) and low <= value <= high,
        f"{what} from {low:g} to {high:g}",
    )


def _truth(text: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    return known[text.strip().lower()]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _several_of(*words: str) -> Rule:
    return Rule(
        _words,
        lambda value: not isinstance(value, str) and set(value) <= set(words),
        "a comma-separated list of " + ", ".join(words),
    )


_SWITCH = Rule(_truth, lambda value: isinstance(value, bool), "true or false")
_TEXT = Rule(str, lambda value: value is None or (isinstance(value, str) and value != ""), "a non-empty text")
_LIST = Rule(
    _words,
    lambda value: not isinstance(value, str) and all(isinstance(word, str) for word in value),
    "a comma-separated list",
)


def _setting(rule: Rule, default: Any) -> Any:
    return field(default=default, metadata={"rule": rule})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, with their defaults. Seconds are seconds.

    Each field is also the variable STREAMGAUGE_<FIELD IN CAPITALS>; `Settings.from_env()` reads them, code wins over
    them."""

    enabled: bool = _setting(_SWITCH, True)
    """False leaves every SDK untouched."""

    chunk_events: str = _setting(_one_of("adaptive", "every", "off"), "adaptive")
    """How chunks become events: merged within the budget, one each, or not at all."""

    chunk_event_budget: int = _setting(_number(8, 4096, int), 96)
    """Most events that a stream's timeline may have in the adaptive mode."""

    timeline_signal: str = _setting(_one_of("span", "log"), "span")
    """Whether the timeline leaves as span events or as log events."""

    log_events: tuple[str, ...] = _setting(_several_of("begin", "stall", "cancel", "end"), ("stall", "cancel", "end"))
    """Which moments of a stream are also log events; `begin` outlives a process that dies."""

    vocabulary: str = _setting(_one_of("v1.41", "genai-main", "both"), "v1.41")
    """Which generation of the standard GenAI names is emitted."""

    time_per_output_chunk: bool = _setting(_SWITCH, False)
    """A sample of the convention's time_per_output_chunk for every chunk; costs more than all the rest together."""

    stall_waiting: float = _setting(_number(0.001, 86400), 30.0)
    """Silence before the first content that counts as a stall."""

    stall_planning: float = _setting(_number(0.001, 86400), 10.0)
    """Silence while reasoning that counts as a stall."""

    stall_acting: float = _setting(_number(0.001, 86400), 30.0)
    """Silence inside a tool call that counts as a stall."""

    stall_responding: float = _setting(_number(0.001, 86400), 10.0)
    """Silence inside the text that counts as a stall."""

    idle_limit: float = _setting(_number(0.01, 604800), 300.0)
    """How long an open stream may stay unread before it is sealed as abandoned."""

    loop_detection: bool = _setting(_SWITCH, True)
    """Whether exact repetition of the text is looked for; the text is read and forgotten."""

    fluidity_first: float = _setting(_number(0.001, 3600), 1.0)
    """Deadline of the first text for the fluidity index."""

    fluidity_next: float = _setting(_number(0.001, 3600), 0.2)
    """Deadline of each further chunk for the fluidity index."""

    model_limit: int = _setting(_number(1, 100000, int), 100)
    """How many model names become labels; further ones are `other`."""

    models: tuple[str, ...] = _setting(_LIST, ())
    """The only model names that become labels, if any is given."""

    provider: str | None = _setting(_TEXT, None)
    """Provider name to report in place of the one told by SDK and host."""

    propagate: bool = _setting(_SWITCH, False)
    """Whether our span is current during the request, so that HTTP instrumentation and trace headers see it."""

    jsonl: str | None = _setting(_TEXT, None)
    """File to which every report is appended as one line of JSON."""

    slo_file: str | None = _setting(_TEXT, None)
    """Objectives that give every stream its verdicts."""

    def __post_init__(self) -> None:
        for option in dataclasses.fields(self):
            value, rule = getattr(self, option.name), option.metadata["rule"]
            allowed = option.default is None if value is None else rule.test(value)
            if not allowed:
                raise ConfigError(option.name, value, rule.allowed, "Settings")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Self:
        """Settings from STREAMGAUGE_* variables, with what is `given` in code on top."""
        variables = os.environ if environ is None else environ
        options = {option.name: option for option in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        for variable, text in variables.items():
            name = variable.removeprefix(PREFIX).lower()
            if variable.startswith(PREFIX) and name in options and text != "":
                values[name] = _read(variable, text, options[name].metadata["rule"])
        unknown = set(given) - set(options)
        if unknown:
            raise ConfigError(min(unknown), given[min(unknown)], "one of " + ", ".join(options), "Settings")
        return cls(**{**values, **given})

    def stall_limits(self) -> dict[names.Phase, int]:
        """Nanoseconds of silence that count as a stall, per phase."""
        return {phase: int(getattr(self, f"stall_{phase}") * 1e9) for phase in names.Phase}


def _read(variable: str, text: str, rule: Rule) -> Any:
    try:
        value = rule.parse(text)
    except (ValueError, KeyError):
        raise ConfigError(variable, text, rule.allowed, "environment") from None
    if not rule.test(value):
        raise ConfigError(variable, text, rule.allowed, "environment")
    return value
