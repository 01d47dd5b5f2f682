"""Writes that the store could not take: kept in memory, told loudly, repaid in order as soon as the store answers
again.

Never a silent loss: an effect that ran is either in the store or in here, and whoever closes the ledger with debts is
told.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from streamgauge.errors import LedgerError
from streamgauge.ledger.entry import Entry
from streamgauge.ledger.errors import StoreUnavailable

_log = logging.getLogger("streamgauge.ledger")


@dataclass(frozen=True, slots=True)
class Debt:
    """One write that is still to be made."""

    what: str
    entry: Entry | None
    pay: Callable[[], object]


class Owed:
    """Debts, oldest first; safe from several threads."""

    def __init__(self) -> None:
        self._debts: deque[Debt] = deque()
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._debts)

    def add(self, debt: Debt, trouble: StoreUnavailable) -> None:
        """Keep a debt, and say so."""
        with self._lock:
            self._debts.append(debt)
        _log.error("kept in memory only, %s: %s", debt.what, trouble)

    def entries(self) -> list[Entry]:
        """The effects that are known to memory only."""
        with self._lock:
            return [debt.entry for debt in self._debts if debt.entry is not None]

    def repay(self) -> bool:
        """Make the writes that are owed, in order; whether none is left.

        A debt that the ledger itself refuses is logged and dropped.
        """
        if not self._debts:
            return True
        with self._lock:
            while self._debts:
                try:
                    self._debts[0].pay()
                except StoreUnavailable:
                    return False
                except LedgerError as refusal:
                    _log.error("could not be repaid, %s: %s", self._debts[0].what, refusal)
                self._debts.popleft()
            return True
