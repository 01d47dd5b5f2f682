"""The doctor: what there is in this process and environment that matters to streamgauge, and what to do about it.

In: installed distributions, entry points, imported SDK classes, environment. Out: a `Diagnosis`. It changes nothing,
patches nothing and sends nothing; called inside a running application it sees what is really active.
"""

import dataclasses
import functools
import importlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from os import environ
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider
from packaging.specifiers import SpecifierSet

from streamgauge.errors import ConfigError
from streamgauge.providers import Provider, providers
from streamgauge.settings import Settings

DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
ANTHROPIC_OFF = "ANTHROPIC_OPEN_TELEMETRY"

_PRODUCTS = (
    ("openinference.instrumentation.", "OpenInference"),
    ("opentelemetry.instrumentation.genai.", "OpenTelemetry GenAI"),
    ("opentelemetry.instrumentation.openai_v2", "OpenTelemetry openai-v2"),
    ("opentelemetry.instrumentation.", "OpenLLMetry"),
    ("logfire.", "Logfire"),
    ("langfuse.", "Langfuse"),
    ("ddtrace.", "Datadog"),
    ("sentry_sdk.", "Sentry"),
)
"""Start of a module's name -> whose it is; the first that fits."""

_BY_OTHER_MEANS = {
    "logfire": "do not call logfire.instrument_{sdk}()",
    "langfuse": "import the client from {sdk}, not from langfuse.{sdk}",
    "ddtrace": "set DD_TRACE_{SDK}_ENABLED=false",
    "sentry_sdk": "pass disabled_integrations=[{Sdk}Integration] to sentry_sdk.init()",
}
"""How those are switched off that are no OpenTelemetry instrumentors, by root module."""


@dataclass(frozen=True, slots=True)
class Sdk:
    """One SDK that streamgauge knows; `version` None is not installed."""

    name: str
    version: str | None
    supported: str
    state: str


@dataclass(frozen=True, slots=True)
class Instrumentation:
    """Another instrumentation of an SDK: what it is, whether it is active, what it patches and how to switch it off.

    `entry_point` is the name by which `opentelemetry-instrument` knows it, if it does."""

    name: str
    sdk: str
    module: str
    distribution: str | None
    version: str | None
    state: str
    patches: tuple[str, ...]
    doubles: bool
    switch_off: str
    entry_point: str | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was found; `advice` is what to do, most urgent first, and empty when all is well."""

    sdks: tuple[Sdk, ...]
    instrumentations: tuple[Instrumentation, ...]
    providers: dict[str, str]
    settings: dict[str, Any]
    changed: tuple[str, ...]
    advice: tuple[str, ...] = field(default=())

    @property
    def healthy(self) -> bool:
        """Whether there is nothing to do."""
        return not self.advice

    def to_dict(self) -> dict[str, Any]:
        """Plain values under stable names."""
        return {"healthy": self.healthy, **dataclasses.asdict(self)}


def examine() -> Diagnosis:
    """What this process and its environment look like to streamgauge, now."""
    sdks = tuple(_sdk(provider) for provider in providers())
    others = (*_instrumentations(), *_native(sdks))
    settings, changed, wrong = _settings()
    advice = (*wrong, *_on_sdks(sdks), *_on_doubles(others))
    return Diagnosis(sdks, others, _set_up(), settings, changed, advice)


def _sdk(provider: Provider) -> Sdk:
    try:
        installed = version(provider.distribution)
    except PackageNotFoundError:
        return Sdk(provider.name, None, provider.versions, "not installed")
    known = SpecifierSet(provider.versions).contains(installed, prereleases=True)
    return Sdk(provider.name, installed, provider.versions, "supported" if known else "left alone")


# other instrumentations


def _instrumentations() -> Iterator[Instrumentation]:
    patched = _patched()
    listed = [entry for entry in entry_points(group="opentelemetry_instrumentor") if _sdk_of(entry.module)]
    for entry in sorted(listed, key=lambda entry: (_sdk_of(entry.module) or "", entry.module)):
        sdk = _sdk_of(entry.module) or ""
        own = sorted({module for module in patched[sdk] if _within(module, entry.module)})
        patches = tuple(method for module in own for method in patched[sdk].pop(module))
        yield _listed(entry, sdk, patches)
    for sdk, modules in patched.items():
        for root in sorted({module.partition(".")[0] for module in modules}):
            patches = tuple(m for module, methods in modules.items() if _within(module, root) for m in methods)
            yield _unlisted(root, sdk, patches)


def _listed(entry: EntryPoint, sdk: str, patches: tuple[str, ...]) -> Instrumentation:
    off = entry.name in _disabled() or environ.get(DISABLED) == "*"
    state = "active" if patches else "disabled" if off else "installed"
    way = f"leave out {entry.module}.{entry.attr}().instrument()"
    dist = entry.dist
    name, release = (dist.name, dist.version) if dist is not None else (None, None)
    product = _product(entry.module)
    doubles = state != "disabled"
    return Instrumentation(product, sdk, entry.module, name, release, state, patches, doubles, way, entry.name)


def _disabled() -> list[str]:
    return [name for part in environ.get(DISABLED, "").split(",") if (name := part.strip())]


def _unlisted(root: str, sdk: str, patches: tuple[str, ...]) -> Instrumentation:
    titles = {"sdk": sdk, "SDK": sdk.upper(), "Sdk": _TITLES.get(sdk, sdk.title())}
    way = _BY_OTHER_MEANS.get(root, "see its documentation").format(**titles)
    return Instrumentation(_product(f"{root}."), sdk, root, None, None, "active", patches, True, way)


_TITLES = {"openai": "OpenAI"}


def _product(module: str) -> str:
    return next((name for start, name in _PRODUCTS if f"{module}.".startswith(start)), module.rstrip("."))


def _sdk_of(module: str) -> str | None:
    words = {word.removesuffix("_v2") for word in module.split(".")}
    return next((p.name for p in providers() if p.name in words and not module.startswith("streamgauge.")), None)


def _within(module: str, parent: str) -> bool:
    return module == parent or module.startswith(f"{parent}.")


def _patched() -> dict[str, dict[str, list[str]]]:
    """SDK -> module of somebody else -> the methods of the SDK that it wraps, in this process."""
    found: dict[str, dict[str, list[str]]] = {provider.name: {} for provider in providers()}
    for sdk, places in found.items():
        for owner in _classes(sdk):
            for method, value in list(vars(owner).items()):
                for module in _wrappers(value):
                    if module.partition(".")[0] not in (sdk, "streamgauge", "functools"):
                        places.setdefault(module, []).append(f"{owner.__module__}.{owner.__qualname__}.{method}")
    return found


def _classes(sdk: str) -> Iterable[type]:
    modules = [module for name, module in list(sys.modules.items()) if _within(name, sdk) and module is not None]
    return {cls for module in modules for cls in _types(module) if cls.__module__.partition(".")[0] == sdk}


def _types(module: Any) -> Iterator[type]:
    return (value for value in list(vars(module).values()) if isinstance(value, type))


def _wrappers(value: Any) -> Iterator[str]:
    while hasattr(value, "_self_wrapper"):
        wrapper = value._self_wrapper
        while isinstance(wrapper, functools.partial):
            wrapper = wrapper.func
        yield getattr(wrapper, "__module__", None) or type(wrapper).__module__
        value = value.__wrapped__


def _native(sdks: Iterable[Sdk]) -> Iterator[Instrumentation]:
    for provider, sdk in zip(providers(), sdks, strict=True):
        if provider.own_span is not None and _has_own_span(provider):
            state = "disabled" if environ.get(ANTHROPIC_OFF, "").lower() in ("false", "0") else "active"
            way = f"nothing to do for streams; {ANTHROPIC_OFF}=false switches it off for all calls"
            where = f"{provider.name} (built in)"
            yield Instrumentation(
                "the SDK's own tracing", provider.name, where, provider.distribution, sdk.version, state, (), False, way
            )


def _has_own_span(provider: Provider) -> bool:
    module, _, name = provider.clients[0].partition(":")
    try:
        client = getattr(importlib.import_module(module), name)
    except ImportError:
        return False
    return any(isinstance(vars(cls).get(provider.own_span or ""), property) for cls in client.__mro__)


# the rest


def _set_up() -> dict[str, str]:
    found = {
        "traces": trace.get_tracer_provider(),
        "metrics": metrics.get_meter_provider(),
        "logs": get_logger_provider(),
    }
    return {signal: _kind(provider) for signal, provider in found.items()}


def _kind(provider: object) -> str:
    name = type(provider).__qualname__
    return "not set up" if "Proxy" in name or "NoOp" in name else f"{type(provider).__module__}.{name}"


def _settings() -> tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]:
    wrong: tuple[str, ...] = ()
    try:
        settings = Settings.from_env()
    except ConfigError as error:
        settings, wrong = Settings(), (f"correct the settings: {error}",)
    if not settings.enabled:
        wrong = (*wrong, "nothing is observed: unset STREAMGAUGE_ENABLED")
    values, defaults = dataclasses.asdict(settings), dataclasses.asdict(Settings())
    return values, tuple(name for name, value in values.items() if value != defaults[name]), wrong


def _on_sdks(sdks: Iterable[Sdk]) -> Iterator[str]:
    found = [sdk for sdk in sdks if sdk.version is not None]
    if not found:
        yield "install an SDK: neither of those that streamgauge knows is there; watch() observes any other iterator"
    for sdk in found:
        if sdk.state != "supported":
            yield f"{sdk.name} {sdk.version} is left alone: install {sdk.name}{sdk.supported}"


def _on_doubles(others: Iterable[Instrumentation]) -> Iterator[str]:
    double = sorted((other for other in others if other.doubles), key=lambda other: other.state)
    known = [other.entry_point for other in double if other.entry_point]
    together = ",".join(dict.fromkeys((*_disabled(), *known)))  # one variable for all: each line names the whole of it
    for other in double:
        when = "has" if other.state == "active" else "will have, once it is switched on,"
        automatic = f"; under opentelemetry-instrument, set {DISABLED}={together}" if other.entry_point else ""
        yield f"every {other.sdk} call {when} a second span, by {other.name}: {other.switch_off}{automatic}"
