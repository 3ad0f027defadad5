"""Request and reply: a server that greets, and a client that is greeted."""

import sys
from contextlib import suppress

from penstock.patterns import Replier, Requester


def server(endpoint: str = "ipc://hello.sock") -> None:
    """Greet whoever asks."""
    with Replier(endpoint) as replier, suppress(KeyboardInterrupt):
        replier.serve(lambda name: f"Hello, {name}!")


def client(endpoint: str = "ipc://hello.sock", name: str = "world") -> None:
    """Be greeted."""
    with Requester(endpoint, timeout=2, retries=3) as requester:
        print(requester.request(name))


if __name__ == "__main__":
    role, *words = sys.argv[1:] or sys.exit("say which role: server or client")
    {"server": server, "client": client}[role](*words)
