"""The watchdog's thread lives while streams are open, and a little longer."""

import threading
from collections.abc import Callable

import pytest

from streamgauge.gauge import watchdog
from streamgauge.gauge.watchdog import Watchdog


@pytest.fixture
def alive() -> Callable[[], int]:
    before = set(threading.enumerate())  # not their idents: those of ended threads are given away again
    return lambda: sum(
        thread.name == "streamgauge-watchdog" and thread not in before for thread in threading.enumerate()
    )


def test_the_thread_ends_when_nothing_is_open_and_starts_anew(
    monkeypatch: pytest.MonkeyPatch, alive: Callable[[], int]
) -> None:
    monkeypatch.setattr(watchdog, "LINGER", 0.01)
    open_streams = threading.Event()
    scanned = threading.Semaphore(0)

    def scan() -> bool:
        scanned.release()
        return open_streams.is_set()

    dog = Watchdog(scan, lambda _item: None, 0.005)
    for _ in range(2):
        open_streams.set()
        dog.wake()
        assert alive() == 1
        for _ in range(4):
            assert scanned.acquire(timeout=20)
        assert alive() == 1
        open_streams.clear()
        thread = dog._thread
        if thread is not None:
            thread.join(20)
        assert alive() == 0


def test_a_resting_thread_is_woken_by_the_next_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LINGER", 60.0)
    open_streams, resting, scanned = threading.Event(), threading.Event(), threading.Event()
    scans = 0

    def scan() -> bool:
        nonlocal scans
        scans += 1
        if open_streams.is_set():
            scanned.set()
        elif scans >= 2:
            resting.set()
        return open_streams.is_set()

    dog = Watchdog(scan, lambda _item: None, 0.005)
    dog.wake()
    assert resting.wait(20)
    open_streams.set()
    dog.wake()
    dog.wake()
    assert scanned.wait(20)
    open_streams.clear()
    dog.reset()


def test_what_is_deferred_is_handled_by_the_thread() -> None:
    handled: list[int] = []
    done = threading.Event()

    def handle(item: int) -> None:
        handled.append(item)
        done.set()

    dog = Watchdog(lambda: True, handle, 0.005)
    dog.later(7)
    dog.wake()
    assert done.wait(20)
    assert handled == [7]
    dog.reset()
