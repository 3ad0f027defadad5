"""Keyrings of two who know each other, and of strangers."""

from __future__ import annotations

from pathlib import Path

from penstock.security import Keyring
from penstock.security.curve import new_pair


def keyring(folder: Path) -> Keyring:
    """One with a key of its own, which trusts nobody."""
    made = Keyring(folder)
    made.keep(new_pair())
    return made


def client_of(server: Keyring, folder: Path) -> Keyring:
    """Whom ``server`` knows as a client called laptop, and who knows it as hub."""
    made = keyring(folder)
    made.trust(server.own.public, "server", "hub")
    server.trust(made.own.public, "client", "laptop")
    return made
