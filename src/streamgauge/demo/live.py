"""How the demo shows itself: rich on a terminal, plain lines and aligned tables anywhere else.

In: figures while it runs, tables and lines at the end. Out: text. It counts nothing itself.
"""

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self, TextIO

import rich.box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from streamgauge.demo.words import Table
from streamgauge.names import Outcome

EVERY = 2.0
"""Seconds between two plain lines of progress."""

_COLOURS: Mapping[str, str] = {
    Outcome.COMPLETED: "green",
    Outcome.LENGTH_LIMITED: "green",
    Outcome.CANCELLED: "cyan",
    Outcome.ABANDONED: "cyan",
    Outcome.DETACHED: "cyan",
    Outcome.CONTENT_FILTERED: "yellow",
}
_BAR = 40


@dataclass(frozen=True, slots=True)
class Now:
    """Where the run stands: seconds so far, streams open now, how many are wanted (None: no end), outcomes so far."""

    elapsed: float
    open: int
    wanted: int | None
    outcomes: Counter[str]

    @property
    def done(self) -> int:
        """Streams that have ended."""
        return sum(self.outcomes.values())

    def __str__(self) -> str:
        said = ", ".join(f"{outcome} {count}" for outcome, count in self.outcomes.most_common())
        of = f"/{self.wanted}" if self.wanted else ""
        return f"{self.elapsed:5.1f} s  open {self.open:3}  ended {self.done}{of}  {said}".rstrip()


class Show(Protocol):
    """Something that shows; a context manager while the run goes on."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def now(self, now: Now) -> None:
        """Where the run stands."""

    def say(self, line: str) -> None:
        """One line of text."""

    def table(self, table: Table) -> None:
        """One table."""


class Plain:
    """Lines and aligned columns, for pipes and files."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._said = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._out.flush()

    def now(self, now: Now) -> None:
        """A line, every two seconds."""
        if now.elapsed - self._said >= EVERY:
            self._said = now.elapsed
            self.say(str(now))

    def say(self, line: str) -> None:
        """One line of text."""
        self._out.write(line + "\n")
        self._out.flush()

    def table(self, table: Table) -> None:
        """Title, columns and rows, aligned by spaces."""
        lines = [table.columns, *table.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
        self.say(f"{table.title}\n")
        for line in (table.columns, tuple("-" * width for width in widths), *table.rows):
            cells = (
                cell.rjust(width) if column in table.right else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            self.say("  ".join(cells).rstrip())
        self.say("")


class Rich:
    """A panel that follows the run, and drawn tables."""

    def __init__(self, out: TextIO) -> None:
        self._console = Console(file=out)
        self._live = Live(console=self._console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def now(self, now: Now) -> None:
        """Redraw the panel."""
        self._live.update(_panel(now))

    def say(self, line: str) -> None:
        """One line of text."""
        self._console.print(Text(line))

    def table(self, table: Table) -> None:
        """A drawn table; rows that need eyes are red."""
        drawn = RichTable(box=rich.box.SIMPLE_HEAD)
        for number, column in enumerate(table.columns):
            drawn.add_column(column, justify="right" if number in table.right else "left", no_wrap=number == 0)
        for number, row in enumerate(table.rows):
            drawn.add_row(*map(Text, row), style="bold red" if number in table.bad else "")
        self._console.print(Text(f"\n{table.title}", "bold"))
        self._console.print(drawn)


def _panel(now: Now) -> Group:
    of = f" of {now.wanted}" if now.wanted else ""
    head = Text(f"{now.elapsed:.0f} s  open {now.open}  ended {now.done}{of}", "bold")
    return Group(head, *(_bar(outcome, count, now.done) for outcome, count in now.outcomes.most_common()))


def _bar(outcome: str, count: int, done: int) -> Text:
    bar = "█" * max(round(_BAR * count / done), 1)
    return Text.assemble(f"  {outcome:17}{count:6}  ", (bar, _COLOURS.get(outcome, "red")))


def show_on(out: TextIO = sys.stdout) -> Show:
    """The way to show things that fits `out`."""
    return Rich(out) if out.isatty() else Plain(out)
