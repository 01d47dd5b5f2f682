"""Traffic: tens of streams at a time, from threads and from one event loop, through the real SDKs.

In: a provider and jobs, as many as there are or without end. Out: the same jobs, acted out. Sync jobs run in threads,
async jobs as tasks of one loop in one thread; each worker takes the next job when it is done with one.
"""

import asyncio
import contextvars
import gc
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import anthropic
import openai

from streamgauge.demo.plan import Job
from streamgauge.demo.provider import Provider, closed_port
from streamgauge.demo.reading import call, read, read_async
from streamgauge.demo.story import APIS

THREADS = 20
TASKS = 20
_FINALISE = 0.1


class Supply:
    """One iterator of jobs for many takers in many threads; after `stop` it is at its end."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs = iter(jobs)
        self._lock = threading.Lock()
        self._stopped = False

    def __iter__(self) -> Iterator[Job]:
        while (job := self._next()) is not None:
            yield job

    def _next(self) -> Job | None:
        with self._lock:
            return None if self._stopped else next(self._jobs, None)

    def stop(self) -> None:
        """Give out no more."""
        self._stopped = True


class Clients:
    """The SDKs' clients of one kind, sync or async: of the provider, and of a port where nobody listens."""

    def __init__(self, provider: Provider, nowhere: int, openai_kind: Any, anthropic_kind: Any) -> None:
        dead = f"http://127.0.0.1:{nowhere}"
        self.all = {
            ("openai", True): openai_kind(base_url=provider.base_url(), api_key="any"),
            ("openai", False): openai_kind(base_url=f"{dead}/v1", api_key="any"),
            ("anthropic", True): anthropic_kind(base_url=provider.base_url(api="anthropic"), api_key="any"),
            ("anthropic", False): anthropic_kind(base_url=dead, api_key="any"),
        }

    def of(self, job: Job) -> Any:
        """The client that this job calls."""
        return self.all["anthropic" if job.api == "messages" else "openai", job.story.reachable]


def warm(provider: Provider) -> None:
    """Make the SDKs load what they load late, so that the first streams are timed like the others."""
    clients = Clients(provider, closed_port(), openai.OpenAI, anthropic.Anthropic)
    for api in APIS:
        for _chunk in call(api, clients.all["anthropic" if api == "messages" else "openai", True]):
            pass
    for client in clients.all.values():
        client.close()


class Traffic:
    """Jobs, acted out side by side; `think` gives the seconds that a caller waits between two streams."""

    def __init__(
        self,
        provider: Provider,
        jobs: Sequence[Iterable[Job]],
        *,
        threads: int = THREADS,
        tasks: int = TASKS,
        think: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._provider, self._nowhere = provider, closed_port()
        self._sync, self._async = (Supply(supply) for supply in jobs)
        self._count, self._tasks, self._think = threads, tasks, think
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []

    def start(self) -> None:
        """Begin; returns at once."""
        clients = Clients(self._provider, self._nowhere, openai.OpenAI, anthropic.Anthropic)
        self._open = clients
        workers = [lambda: self._work(clients)] * self._count + [lambda: asyncio.run(self._loop())]
        self._threads = [threading.Thread(target=self._guarded, args=(work,), daemon=True) for work in workers]
        for thread in self._threads:
            thread.start()

    @property
    def running(self) -> bool:
        """Whether any worker is still at it."""
        return any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Begin no more streams."""
        self._stopping.set()
        self._sync.stop()
        self._async.stop()

    def join(self) -> None:
        """Wait for the streams that are open; an error of the demo itself is raised here."""
        for thread in self._threads:
            thread.join()
        for client in self._open.all.values():
            client.close()
        if self._failures:
            raise self._failures[0]

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._failures.append(error)
            self.stop()

    def _work(self, clients: Clients) -> None:
        for job in self._sync:
            # a context of its own, so that `current()` is about this job
            contextvars.Context().run(read, job, clients.of(job))
            self._stopping.wait(self._think())

    async def _loop(self) -> None:
        clients = Clients(self._provider, self._nowhere, openai.AsyncOpenAI, anthropic.AsyncAnthropic)
        await asyncio.gather(*(self._work_async(clients) for _ in range(self._tasks)))
        gc.collect()  # while there is a loop to finalise what callers dropped
        await asyncio.sleep(_FINALISE)
        for client in clients.all.values():
            await client.close()

    async def _work_async(self, clients: Clients) -> None:
        for job in self._async:
            task = asyncio.create_task(read_async(job, clients.of(job)), context=contextvars.Context())
            await asyncio.wait({task})
            if not self._stopping.is_set():
                await asyncio.sleep(self._think())
