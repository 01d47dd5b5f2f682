"""What the framework scripts share: each way is played bare and observed, and both are printed."""

# What this imports is installed in its own environment only.
# mypy: ignore-errors

import asyncio
import gc
from collections.abc import Callable, Iterable
from typing import Any

from exits import Complaints, Watched, shown


async def played(way: Callable[[str], Any], url: str) -> list[str]:
    """What the framework handed over, with the exception at the end."""
    seen: list[str] = []
    try:
        made = way(url)
        if hasattr(made, "__anext__"):
            async for piece in made:
                seen.append(shown(piece))  # noqa: PERF401 - what came before an exception is wanted, too
        else:
            seen.extend(map(shown, await asyncio.to_thread(list, made)))
    except Exception as error:
        seen.append(f"{type(error).__qualname__}: {error}")
        error.__traceback__ = None
    return seen


async def compared(url: str, ways: Iterable[Callable[[str], Any]]) -> dict[str, Any]:
    """Bare and observed output of every way, and what was told of it."""
    complaints = Complaints("streamgauge", "opentelemetry")
    bare = {way.__name__: await played(way, url) for way in ways}
    watched = Watched()
    observed = {way.__name__: {"seen": await played(way, url), **await _told(watched)} for way in ways}
    facts = {"own_errors": dict(watched.gauge.guard.errors), "open": watched.gauge.open_count}
    watched.close()
    ways_told = {name: {"bare": bare[name], **told} for name, told in observed.items()}
    return {"ways": ways_told, "complaints": complaints.said, **facts}


async def _told(watched: Watched) -> dict[str, Any]:
    for _ in range(200):
        if watched.settled():
            break
        gc.collect()
        await asyncio.sleep(0.002)
    return watched.told()
