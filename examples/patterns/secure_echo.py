"""CURVE: an echo for those whose key it trusts, and nobody else; what is said is to be read by nobody on the
way."""

import sys
from contextlib import suppress

from penstock.patterns import Replier, Requester
from penstock.security import Keyring


def server(endpoint: str = "tcp://127.0.0.1:5555", keys: str = "server-keys") -> None:
    """Send back what clients send."""
    with Replier(endpoint, curve=Keyring(keys).admitting("client")) as replier, suppress(KeyboardInterrupt):
        replier.serve(lambda value: value)


def client(endpoint: str = "tcp://127.0.0.1:5555", keys: str = "client-keys", text: str = "echo") -> None:
    """Say something and print what comes back."""
    with Requester(endpoint, curve=Keyring(keys).towards("server"), timeout=2) as requester:
        print(requester.request(text))


if __name__ == "__main__":
    role, *words = sys.argv[1:] or sys.exit("say which role: server or client")
    {"server": server, "client": client}[role](*words)
