"""Which fault a request meets and which script is played for it: the request decides before the provider does.

In: a request and its route. Out: a `Fault` and a `Script`. Wrong names and values are `ConfigError`s, which the client
reads as a 400 that says what exists.
"""

import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from streamgauge.demo.faults import FAULTS, Fault, fault_named
from streamgauge.demo.script import FIELDS, Script
from streamgauge.demo.wire import ROOTS, Route
from streamgauge.demo.wire.dialect import JSON
from streamgauge.demo.wire.http1 import Request
from streamgauge.errors import ConfigError

_PREFIX = re.compile(r"/fault/(?P<name>[^/;]+)(?P<params>(;[^/]*)?)(?P<rest>/.*|)")
_ANY = "any"


@dataclass(frozen=True, slots=True)
class Prefixed:
    """A path taken apart: `/fault/NAME;field=value/rest`."""

    fault: str
    script: Mapping[str, object]
    path: str


def unprefixed(path: str) -> Prefixed:
    """The path without the part that is ours."""
    found = _PREFIX.fullmatch(path)
    if found is None:
        return Prefixed("", {}, path)
    pairs = (pair.partition("=") for pair in found["params"].split(";") if pair)
    name = "" if found["name"] == _ANY else found["name"]
    return Prefixed(name, {field: value for field, _, value in pairs}, found["rest"] or "/")


def prefix(fault: str, api: str, script: Mapping[str, object]) -> str:
    """The path that makes calls meet the fault with these fields of the script; the reverse of `unprefixed`."""
    if api not in ROOTS:
        raise ConfigError("api", api, f"one of {', '.join(ROOTS)}", "base_url")
    if not fault and not script:
        return ROOTS[api]
    Script().changed(script, "base_url")
    params = "".join(f";{name}={value}" for name, value in script.items())
    return f"/fault/{fault_named(fault, 'base_url').name if fault else _ANY}{params}{ROOTS[api]}"


class Mix:
    """Faults drawn by weight, in an order that a seed fixes."""

    def __init__(self, weights: Mapping[str, float], seed: int) -> None:
        self._faults = [fault_named(name, "provider") for name in weights]
        self._weights = list(weights.values())
        if not self._weights or min(self._weights) < 0 or not sum(self._weights):
            raise ConfigError("mix", dict(weights), "weights of 0 or more, one of them above 0")
        self._chance = random.Random(seed)  # noqa: S311 - traffic, not secrets

    def draw(self) -> Fault:
        """The next fault."""
        return self._chance.choices(self._faults, self._weights)[0]


def fault_of(request: Request, prefixed: Prefixed, route: Route, model: str, mix: Mix) -> Fault:
    """The fault: by header, by path, by model name, else drawn. Resuming does not meet the path's fault again."""
    if header := request.headers.get("x-streamgauge-fault"):
        return fault_named(header, "header x-streamgauge-fault")
    if route.action != "answer":
        return FAULTS["healthy"]
    if prefixed.fault:
        return fault_named(prefixed.fault, "path")
    return FAULTS.get(model.removeprefix("demo-").replace("-", "_")) or mix.draw()


def script_of(request: Request, prefixed: Prefixed, route: Route, fault: Fault, defaults: Script, body: JSON) -> Script:
    """The script: defaults, then what the fault changes, then what path, query and header ask for."""
    asked = {name: value for name, value in request.query.items() if name in FIELDS}
    script = defaults.changed({"choices": body.get("n") or defaults.choices} | dict(fault.changes))
    script = script.changed(prefixed.script, "path").changed(asked, "query").changed(_header(request), "header")
    return script if route.dialect.many else replace(script, choices=1)


def _header(request: Request) -> Mapping[str, object]:
    header = request.headers.get("x-streamgauge-script") or "{}"
    try:
        return dict(json.loads(header))
    except (ValueError, TypeError):
        raise ConfigError("x-streamgauge-script", header, "a JSON object", "header") from None
