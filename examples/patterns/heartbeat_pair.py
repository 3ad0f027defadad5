"""A pair whose ends tell each other that they live, and notice within half a second when one does not."""

import sys
from contextlib import suppress

from penstock.errors import TimedOut
from penstock.patterns import Pair

EVERY, SILENCE = 0.1, 5
"""Seconds between two beats, and how many may be missed."""


def beat(endpoint: str, *, bind: bool) -> None:
    """Tell that we live, and listen."""
    with Pair(endpoint, bind=bind) as pair, suppress(KeyboardInterrupt):
        missed, met = 0, False
        while not met or missed < SILENCE:
            with suppress(TimedOut):
                pair.send("alive", timeout=0)
            try:
                pair.receive(EVERY)
            except TimedOut:
                missed += 1
                continue
            if not met:
                print("the other end is there", flush=True)
            missed, met = 0, True
        print("the other end is silent")


def one(endpoint: str = "ipc://pair.sock") -> None:
    """The end that binds."""
    beat(endpoint, bind=True)


def other(endpoint: str = "ipc://pair.sock") -> None:
    """The end that connects."""
    beat(endpoint, bind=False)


if __name__ == "__main__":
    role, *words = sys.argv[1:] or sys.exit("say which role: one or other")
    {"one": one, "other": other}[role](*words)
