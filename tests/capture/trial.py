"""One stream as an application uses it: opened on a surface, read, and everything that the caller saw of it."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from tests.capture.surfaces import Surface, shown


@dataclass
class Trial:
    """One run of one way out; `seen` is what the caller got, chunk by chunk, and the exception at the end."""

    surface: Surface
    client: Any
    fault: str = "healthy"
    options: dict[str, Any] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)
    until_silence: int = 0

    def call(self) -> Any:
        return self.surface.call(self.client, f"demo-{self.fault}", **self.options)

    def open(self) -> Any:
        return self.call().__enter__() if self.surface.helper else self.call()

    def managed(self) -> AbstractContextManager[Any]:
        made: AbstractContextManager[Any] = self.call()
        return made

    async def aopen(self) -> Any:
        return await self.call().__aenter__() if self.surface.helper else await self.call()

    def amanaged(self) -> AbstractAsyncContextManager[Any]:
        return self.call() if self.surface.helper else self._amanaged()

    @asynccontextmanager
    async def _amanaged(self) -> Any:
        async with await self.call() as stream:
            yield stream

    def see(self, chunk: object) -> None:
        self.seen.append(shown(chunk))

    def read(self, stream: Any, limit: int = 10_000) -> None:
        for number, chunk in enumerate(stream, 1):
            self.see(chunk)
            if number == limit:
                break

    async def aread(self, stream: Any, limit: int = 10_000) -> None:
        number = 0
        async for chunk in stream:
            self.see(chunk)
            number += 1
            if number == limit:
                break

    async def blocked(self) -> None:
        """Until the reader has everything there is and waits for a provider that has fallen silent."""
        while len(self.seen) < self.until_silence:
            await anyio.sleep(0.001)


def run(way: Callable[[Trial], None], trial: Trial) -> Trial:
    try:
        way(trial)
    except BaseException as error:
        trial.seen.append(type(error).__qualname__)
        trial.seen.append(shown(error.args))
        error.__traceback__ = None
    return trial


async def arun(way: Callable[[Trial], Awaitable[None]], trial: Trial) -> Trial:
    try:
        await way(trial)
    except BaseException as error:
        trial.seen.append(type(error).__qualname__)
        trial.seen.append(shown(error.args))
        error.__traceback__ = None
    return trial


def exhaust(trial: Trial) -> None:
    trial.read(trial.open())


async def aexhaust(trial: Trial) -> None:
    await trial.aread(await trial.aopen())
