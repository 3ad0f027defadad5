"""Publish and subscribe: who asks for the time has it at once, though the clock strikes every minute only."""

import sys
import time
from contextlib import suppress

from penstock.patterns import Publisher, Subscriber


def server(endpoint: str = "ipc://clock.sock") -> None:
    """Strike every minute."""
    with Publisher(endpoint, last_values=1) as clock, suppress(KeyboardInterrupt):
        while True:
            clock.send("clock", time.strftime("%H:%M"))
            time.sleep(60)


def client(endpoint: str = "ipc://clock.sock") -> None:
    """Ask for the time."""
    with Subscriber(endpoint, topics="clock") as subscriber:
        print("It is", subscriber.receive().value)


if __name__ == "__main__":
    role, *words = sys.argv[1:] or sys.exit("say which role: server or client")
    {"server": server, "client": client}[role](*words)
