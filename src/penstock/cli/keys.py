"""``penstock keys``: our own key, and whose are trusted, and as what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli import terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand, VerbFamily
from penstock.cli.options import json_option
from penstock.errors import UserError

if TYPE_CHECKING:
    from penstock.security.keys import Keyring, Trusted

ROLES = ("owner", "worker", "client", "observer", "server")
EXAMPLES = (
    "penstock keys new",
    "penstock keys show",
    "penstock keys trust 'Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID' --role client --name laptop",
    "penstock keys revoke laptop",
)
folder_option = click.option(
    "--keys",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of the keys.  [default: PENSTOCK_KEYS, or ~/.config/penstock/keys]",
)


@click.group(cls=VerbFamily, examples=EXAMPLES)
def keys() -> None:
    """Make keys, and say whose are trusted.

    They are CURVE keys, by which sockets prove who they are and encrypt all they say. A public key may be
    shown to anybody, and is what is trusted elsewhere; the secret one stays in its file and is never
    printed.
    """


@keys.command(cls=VerbCommand, examples=["penstock keys new"])
@folder_option
def new(folder: Path | None) -> None:
    """Make our own key, where there is none yet.

    Prints the public one: that is what the others have to trust.
    """
    from penstock.security.curve import new_pair
    from penstock.security.keys import OWN

    keyring = _keyring(folder)
    if (keyring.folder / OWN).exists():
        raise UserError(
            f"there is a key in {keyring.folder} already; another in its place: penstock keys rotate"
        )
    keyring.keep(new_pair())
    terminal.data(keyring.own.public)


@keys.command(cls=VerbCommand, examples=["penstock keys show", "penstock keys show --json"])
@folder_option
@json_option
def show(folder: Path | None, as_json: bool) -> None:
    """Show our public key, and whose are trusted."""
    from penstock.cli.table import table

    keyring = _keyring(folder)
    own, trusted = keyring.own, keyring.trusted
    if as_json:
        listed = [each._asdict() for each in trusted]
        terminal.data(document("keys", folder=str(keyring.folder), public=own.public, trusted=listed))
        return
    rows = [("", own.public, "our own"), *((each.role, each.public, each.name) for each in trusted)]
    for line in table(rows, ("ROLE", "PUBLIC KEY", "NAME")):
        terminal.data(line)


@keys.command(cls=VerbCommand, examples=EXAMPLES[2:3])
@click.argument("public", metavar="PUBLIC-KEY")
@click.option(
    "--role", type=click.Choice(ROLES), required=True, help="What it is for; a server is who we connect to."
)
@click.option("--name", required=True, help="What it is called here.")
@folder_option
def trust(public: str, role: str, name: str, folder: Path | None) -> None:
    """Trust a key from now on.

    Sockets that listen already know of it with the next connection. A key has one role: the last one said.
    A server may have two keys by the same name, while it changes its own: whichever answers is taken.
    """
    _say("trusted", _keyring(folder).trust(public, role, name))


@keys.command(cls=VerbCommand, examples=["penstock keys revoke laptop"])
@click.argument("whose", metavar="NAME|PUBLIC-KEY")
@folder_option
def revoke(whose: str, folder: Path | None) -> None:
    """Trust a key no longer.

    It is not let in again, and what is open ends within seconds: connections of plain sockets that listen
    here, hosts that have joined a run, and questions to it.
    """
    for each in _keyring(folder).revoke(whose):
        _say("no longer trusted", each)


@keys.command(cls=VerbCommand, examples=["penstock keys rotate --prepare", "penstock keys rotate"])
@click.option("--prepare", is_flag=True, help="Make the next key, and go on with ours.")
@folder_option
def rotate(prepare: bool, folder: Path | None) -> None:
    """Put another key in place of ours.

    Prints the public one, and who has to be sent it. With --prepare, it is made and nothing else: whoever
    trusts ours can trust it, too, so that nobody is kept out when it takes its place with the next rotate.
    `--at` and `penstock join` find out which of the two a server has. What runs goes on with the old one
    until it is restarted.
    """
    from penstock.security.curve import new_pair

    keyring = _keyring(folder)
    before, prepared = keyring.own.public, keyring.next
    new = prepared or new_pair()
    (keyring.prepare if prepare else keyring.keep)(new)
    if not prepare:
        terminal.talk(f"the old key was {before}")
    for line in _letters(keyring, before, new.public, prepare=prepare):
        terminal.talk(line)
    terminal.data(new.public)


def _letters(keyring: Keyring, before: str, public: str, *, prepare: bool) -> Iterator[str]:
    """Who has to know of another key, and what they do."""
    trusted = keyring.trusted
    if not trusted:
        return
    yield "send the new key to these; there it is trusted by the command beside, with the name it has there:"
    for each in trusted:
        if each.role == "server":  # whom we connect to knows what we are there
            name, role = "NEW-NAME" if prepare else "NAME", "ROLE"
        else:  # who connects to us may have both
            name, role = "NAME", "server"
        after = "" if prepare else f"penstock keys revoke '{before}' && "
        yield f"  {each.name}:  {after}penstock keys trust '{public}' --role {role} --name {name}"
    if prepare:
        yield "then: penstock keys rotate"


def _keyring(folder: Path | None) -> Keyring:
    from penstock.security.keys import Keyring

    return Keyring(folder)


def _say(what: str, one: Trusted) -> None:
    terminal.talk(f"{what}: {one.name}, {one.role}, {one.public}")
