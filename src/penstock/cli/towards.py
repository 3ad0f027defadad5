"""Whom we expect at the other end of a network, and the key that we show there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from penstock.errors import UserError

if TYPE_CHECKING:
    from penstock.security.keys import Towards


def towards(endpoint: str, key_file: str | None, server: str | None) -> Towards:
    """What ``--key-file`` and ``--server`` say, of which there is one; of a server with two keys, that which
    ``endpoint`` has.

    Raises:
        UserError: a key cannot be used, or that server is not known.
    """
    from penstock.security import curve, joinkey
    from penstock.security.keys import Keyring

    if key_file and server:
        raise click.UsageError("--key-file says whom to expect; leave out --server")
    if key_file:
        return joinkey.read(key_file).towards()
    if not server:
        raise click.UsageError("say --key-file FILE, or --server NAME where this host has a key of its own")
    keyring = Keyring()
    _ = keyring.own
    return curve.answering(endpoint, keyring.towards(server))


def only_server() -> str:
    """The server that is meant when none is named: the only one that we trust.

    Raises:
        UserError: there is none, or more than one.
    """
    from penstock.security.keys import SERVER, Keyring

    keyring = Keyring()
    known = list(dict.fromkeys(each.name for each in keyring.trusted if each.role == SERVER))
    if len(known) != 1:
        names = ", ".join(known) or "none"
        raise UserError(
            f"say --server NAME: whom --at is to find there (servers in {keyring.folder}: {names})"
        )
    return known[0]
