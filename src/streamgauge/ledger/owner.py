"""Who runs an effect: a name for this process, and whether the process behind a name is still alive.

The living must not be taken for dead: on the machine of the owner its process is looked up; elsewhere only the lease
can tell.
"""

import os
import platform
import threading
from functools import lru_cache
from pathlib import Path


def owner() -> str:
    """This process: `host;pid;start`. Another one even if the process number is used again, or after a fork."""
    return _owner(os.getpid())


@lru_cache(maxsize=8)
def _owner(pid: int) -> str:
    return f"{_host()};{pid};{_started(pid)}"


@lru_cache(maxsize=1)
def _host() -> str:
    """The machine as far as process numbers are comparable.

    Its name, its boot and, in a container, the process namespace.
    """
    return ",".join((platform.node(), _read("/proc/sys/kernel/random/boot_id")[:8], _namespace()))


def _namespace() -> str:
    try:
        return Path("/proc/self/ns/pid").readlink().name
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When the process began, in the kernel's ticks; "" where the kernel does not tell."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return "" if not fields or (fields[0] == "Z" and not _other_threads(pid)) else fields[19]


def _other_threads(pid: int) -> bool:
    """Whether threads outlive the first one: a killed process shows as a zombie while they may still finish a write."""
    try:
        return any(task.name != str(pid) for task in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return False


def alive(name: str | None) -> bool | None:
    """Whether the owner still runs; None when that cannot be seen from here."""
    host, _, rest = (name or "").partition(";")
    pid, _, started = rest.partition(";")
    if host != _host() or not pid.isdigit():
        return None
    if Path("/proc/self/stat").exists():
        return started == _started(int(pid))
    return _answers(int(pid))


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class InFlight:
    """The executions of this process that are under way, so that its own lost ones can be told from its running
    ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: set[str] = set()

    def add(self, token: str) -> None:
        """An execution begins."""
        with self._lock:
            self._tokens.add(token)

    def discard(self, token: str) -> None:
        """An execution is over."""
        with self._lock:
            self._tokens.discard(token)

    def __contains__(self, token: object) -> bool:
        with self._lock:
            return token in self._tokens
