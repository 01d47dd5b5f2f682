"""A watched source that can be read with `for` and with `async for`, as litellm's can: the first read decides."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Self


class BothWays:
    """Reads `source` through `wrap`, sync or async; everything else is the source's own."""

    def __init__(self, source: Any, wrap: Callable[[Any], Any]) -> None:
        self._source, self._wrap = source, wrap
        self._reader: Any = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self._reader is None:
            self._reader = self._wrap(_each(self._source))
        return next(self._reader)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._reader is None:
            self._reader = self._wrap(_each_async(self._source))
        return await anext(self._reader)

    def __getattr__(self, name: str) -> Any:
        reading = name in ("close", "aclose", "gi_running") and self._reader is not None
        return getattr(self._reader if reading else self._source, name)


def _each(source: Any) -> Iterator[Any]:
    yield from source


async def _each_async(source: Any) -> AsyncIterator[Any]:
    async for chunk in source:
        yield chunk
