"""Fail open: an error of ours is counted, logged once per place, and never reaches the application."""

import functools
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger("streamgauge")


class Guard:
    """Keeps errors from the caller; `errors` counts them by hook, `tell` is called for each (and may itself fail)."""

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self.errors: Counter[str] = Counter()
        self._tell = tell

    def report(self, hook: str, error: Exception) -> None:
        """Count `error`; the first one of a hook is logged, by its type only, as messages may carry content."""
        if not self.errors[hook]:
            log.warning("streamgauge failed in %s (%s); the stream goes on unobserved", hook, type(error).__name__)
        self.count(hook)

    def count(self, hook: str, times: int = 1) -> None:
        """Count errors that were kept from the caller elsewhere."""
        self.errors[hook] += times
        if self._tell is not None:
            try:
                for _ in range(times):
                    self._tell(hook)
            except Exception:
                self.errors["tell"] += 1

    def call(self, hook: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
        """What `function` returns, or None if it fails."""
        try:
            return function(*args, **kwargs)
        except Exception as error:
            self.report(hook, error)
            return None


def guarded(hook: str) -> Callable[[Callable[..., R]], Callable[..., R | None]]:
    """Guard a method of an object that has a `guard`."""

    def decorate(method: Callable[..., R]) -> Callable[..., R | None]:
        @functools.wraps(method)
        def run(self: Any, *args: Any, **kwargs: Any) -> R | None:
            try:
                return method(self, *args, **kwargs)
            except Exception as error:
                self.guard.report(hook, error)
                return None

        return run

    return decorate
