"""Items that belong to accounts: those of one account go to one replica, one at a time.

count -> book x3    (key: the account)
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator

from gate import Gate
from tape import Tape

from penstock import Pipeline, sink, source

ITEMS = int(os.environ["ITEMS"])
ACCOUNTS = 23


@source(max_restarts=100)
def count() -> Iterator[int]:
    """0, 1, 2 ... as far as the gate is open."""
    gate = Gate("count")
    for number in range(ITEMS):
        gate.wait(number)
        yield number


def account(number: int) -> str:
    """Whose it is."""
    return f"account {number % ACCOUNTS}"


@sink(replicas=3, max_restarts=100, key=account)
class Book:
    """Every number, on the tape of its account; on ``clash``, if another is at work on that account."""

    def setup(self) -> None:
        """Lay the tapes in. What locks an account the kernel lets go of with its holder."""
        self.tapes = [Tape(f"account-{number}") for number in range(ACCOUNTS)]
        self.clash, self.total = Tape("clash"), Tape("total")
        desk = os.environ["DESK"]
        self.locks = [os.open(f"{desk}/{n}.lock", os.O_RDWR | os.O_CREAT, 0o600) for n in range(ACCOUNTS)]

    def __call__(self, number: int) -> None:
        """One number."""
        lock = self.locks[number % ACCOUNTS]
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno != errno.EWOULDBLOCK:
                raise
            self.clash.note(number)
        self.tapes[number % ACCOUNTS].note(number)
        self.total.note(number)
        fcntl.flock(lock, fcntl.LOCK_UN)


pipeline = Pipeline("keyed", count >> Book)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
