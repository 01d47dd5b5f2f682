"""Who an effect is: idempotency key, argument hash, redacted view, and the string reference that survives queues.

Pure functions. Bad input is an `EffectInputError` that names the tool and the argument, before anything is dispatched.
"""

import dataclasses
import datetime
import decimal
import enum
import hashlib
import json
import os
import pathlib
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from streamgauge.ledger.errors import EffectInputError

SEPARATOR = "#"
"""Stands between the parts of a reference: `stream_ref#tool_call_id`, or `stream_ref#response_id#tool_call_id`."""

KEY_LIMIT = 255
"""Characters; the longest idempotency key that payment providers take."""

SHOWN_LIMIT = 200
"""Characters of one allow-listed text argument that are kept."""

_NAME = re.compile(r"[^\s#]{1,120}")


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Where an effect came from."""

    stream_ref: str | None = None
    tool_call_id: str | None = None
    tool: str | None = None
    """The name that the model called, if it is known."""
    args: Any = None
    """The arguments that the model gave, parsed; None if unknown."""
    response_id: str | None = None
    """The provider's own name for the answer, which is the same when the answer is resumed in another stream."""

    @property
    def reference(self) -> str | None:
        """`stream_ref#tool_call_id`, with the response id between them if it is known; `stream_ref` alone; or None."""
        if self.stream_ref is None or self.tool_call_id is None:
            return self.stream_ref
        response_id = None if self.response_id == self.stream_ref else self.response_id
        return SEPARATOR.join(filter(None, (self.stream_ref, response_id, self.tool_call_id)))


def tool_name(tool: object) -> str:
    """`tool` if it can name a tool: 1 to 120 characters without white space or `#`."""
    if isinstance(tool, str) and _NAME.fullmatch(tool):
        return tool
    raise EffectInputError("tool", tool, "a name of 1 to 120 characters without white space or '#'")


def parse_reference(reference: object) -> Origin:
    """Take `stream_ref#response_id#tool_call_id`, `stream_ref#tool_call_id` or `stream_ref` apart."""
    if not isinstance(reference, str) or not reference.strip():
        raise EffectInputError("reference", reference, "'stream_ref#tool_call_id' or 'stream_ref'")
    parts = reference.split(SEPARATOR)
    if not all(parts) or len(parts) > 3:
        raise EffectInputError("reference", reference, "'stream_ref#tool_call_id' with both parts")
    stream_ref, *between, call = parts if len(parts) > 1 else (*parts, None)
    return Origin(stream_ref, call, response_id=between[0] if between else None)


def describe_tool_call(call: object) -> Origin:
    """Read an SDK's tool call object or dict by its looks.

    `id` or `call_id`, `name` or `function.name`, arguments or input.
    """
    function = _get(call, "function")
    identity = _get(call, "call_id") or _get(call, "id")
    if not isinstance(identity, str) or not identity:
        raise EffectInputError("tool_call", call, "an object or mapping with an 'id', a tool call id or a reference")
    named = _get(call, "name") or _get(function, "name")
    return Origin(None, identity, named if isinstance(named, str) else None, _arguments(call, function))


def _arguments(call: object, function: object) -> Any:
    for holder, name in ((call, "input"), (call, "arguments"), (function, "arguments")):
        value = _get(holder, name)
        if value is not None:
            return _parsed(value)
    return None


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _get(holder: object, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def idempotency_key(tool: str, origin: Origin, given: object = None) -> str:
    """`given`; or response (if that is not known, stream), tool call and tool; or a fresh one where neither a key nor a
    tool call says who the effect is.
    """
    if given is not None:
        return _checked_key(given)
    if origin.tool_call_id is None:
        return _checked_key(f"{origin.stream_ref or 'effect'}{SEPARATOR}{_fresh()}:{tool}")
    source = origin.response_id or origin.stream_ref
    if source is None:
        return _checked_key(f"{origin.tool_call_id}:{tool}")
    return _checked_key(key_of(source, origin.tool_call_id, tool))


def key_of(source: str, tool_call_id: str, tool: str) -> str:
    """The key of what `tool` does for a tool call of a response, or of a stream whose response is not known."""
    return f"{source}{SEPARATOR}{tool_call_id}:{tool}"


def compensation_key(key: str) -> str:
    """The key of the effect that undoes the effect `key`."""
    return f"undo:{hashlib.sha256(key.encode()).hexdigest()[:40]}"


def token() -> str:
    """A name for one execution."""
    return os.urandom(16).hex()


def _fresh() -> str:
    """Unguessable, and begins with the time: new entries lie side by side, so that a shared commit writes few pages."""
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


def _checked_key(key: object) -> str:
    if isinstance(key, str) and key.strip() == key and 0 < len(key) <= KEY_LIMIT and key.isprintable():
        return key
    raise EffectInputError("key", key, f"1 to {KEY_LIMIT} printable characters without white space around them")


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(tool: str, args: Any) -> str:
    """Arguments as canonical JSON: sorted keys, no white space, no NaN."""
    try:
        return _CANONICAL.encode(_plain(args, "args"))
    except (_UnfitError, ValueError) as error:
        raise EffectInputError(f"arguments of {tool}", type(args).__name__, f"JSON-like values: {error}") from None


def plain(tool: str, value: Any) -> Any:
    """`value` as JSON gives it back."""
    return json.loads(canonical(tool, value))


def args_hash(tool: str, args: Any) -> str:
    """SHA-256 of the canonical arguments, in hexadecimal."""
    return hashlib.sha256(canonical(tool, args).encode()).hexdigest()


def view(tool: str, args: Any, show: Iterable[str]) -> dict[str, Any] | None:
    """The allow-listed top-level arguments, long texts cut; None when nothing is allowed."""
    allowed = tuple(show)
    if not allowed or not isinstance(args, Mapping):
        return None
    plain = json.loads(canonical(tool, {name: args[name] for name in allowed if name in args}))
    return {name: value[:SHOWN_LIMIT] if isinstance(value, str) else value for name, value in plain.items()}


class _UnfitError(Exception):
    """A value that has no canonical form."""


def _unfit(value: Any, path: str) -> Any:
    raise _UnfitError(f"{path} is a {type(value).__name__}")


def _key(key: Any, path: str) -> str:
    return key if isinstance(key, str) else str(_unfit(key, f"a key of {path}"))


def _mapping(value: Any, path: str) -> Any:
    return {_key(key, path): _plain(item, f"{path}.{key}") for key, item in value.items()}


def _sequence(value: Any, path: str) -> Any:
    return [_plain(item, f"{path}[{index}]") for index, item in enumerate(value)]


def _unordered(value: Any, path: str) -> Any:
    return sorted(_sequence(value, path), key=repr)


def _dataclass(value: Any, path: str) -> Any:
    return {item.name: _plain(getattr(value, item.name), f"{path}.{item.name}") for item in dataclasses.fields(value)}


_FORMS: tuple[tuple[Callable[[Any], bool], Callable[[Any, str], Any]], ...] = (
    (lambda v: isinstance(v, enum.Enum), lambda v, path: _plain(v.value, path)),
    (lambda v: v is None or isinstance(v, (str, bool, int, float)), lambda v, _: v),
    (lambda v: isinstance(v, Mapping), _mapping),
    (lambda v: isinstance(v, (list, tuple)), _sequence),
    (lambda v: isinstance(v, (set, frozenset)), _unordered),
    (lambda v: isinstance(v, (datetime.datetime, datetime.date, datetime.time)), lambda v, _: v.isoformat()),
    (lambda v: isinstance(v, (decimal.Decimal, uuid.UUID, pathlib.PurePath)), lambda v, _: str(v)),
    (lambda v: isinstance(v, (bytes, bytearray)), lambda v, _: "sha256:" + hashlib.sha256(v).hexdigest()),
    (lambda v: dataclasses.is_dataclass(v) and not isinstance(v, type), _dataclass),
    (lambda v: callable(getattr(v, "model_dump", None)), lambda v, path: _plain(v.model_dump(mode="json"), path)),
)
"""How each kind of value becomes plain; the first match wins."""


_PLAIN = frozenset({str, int, float, bool, type(None)})
"""Most values of most arguments: nothing has to be tried."""


def _plain(value: Any, path: str) -> Any:
    if type(value) in _PLAIN:
        return value
    for fits, form in _FORMS:
        if fits(value):
            return form(value, path)
    return _unfit(value, path)
