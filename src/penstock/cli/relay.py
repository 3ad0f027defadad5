"""``penstock relay``: a way through between networks that cannot see each other."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from typing import TYPE_CHECKING

import click

from penstock.cli.group import VerbCommand
from penstock.errors import UserError

if TYPE_CHECKING:
    from penstock.link.relay import Counts, Relay
    from penstock.patterns.endpoint import Endpoint

EXAMPLES = (
    "penstock relay --from tcp://10.0.0.9:7788 --to tcp://10.0.0.5:7788",
    "PENSTOCK_RELAY_TO=tcp://first:7788 penstock relay --from tcp://*:7788 --all-interfaces",
    "penstock relay --from tcp://10.1.0.9:7800-7809 --to tcp://10.0.0.5:7800-7809",
)
EXITS = (
    ("0", "it was ended: Ctrl-C or SIGTERM"),
    ("4", "an address is missing, is none, or is open to all without that being said"),
    ("5", "that address cannot be had"),
)


@click.command(cls=VerbCommand, examples=EXAMPLES, terms={"Exit codes": EXITS})
@click.option(
    "--from",
    "here",
    metavar="ADDRESS",
    envvar="PENSTOCK_RELAY_FROM",
    multiple=True,
    help="Where to listen, tcp://host:port or tcp://host:FIRST-LAST; or PENSTOCK_RELAY_FROM, spaces between.",
)
@click.option(
    "--to",
    "there",
    metavar="ADDRESS",
    envvar="PENSTOCK_RELAY_TO",
    multiple=True,
    help="Where that leads, once for each --from; or PENSTOCK_RELAY_TO. A name is looked up for each"
    " connection.",
)
@click.option("--all-interfaces", is_flag=True, help="It is meant that --from listens on all of them.")
def relay(here: tuple[str, ...], there: tuple[str, ...], all_interfaces: bool) -> int:
    """Pass on connections between networks that cannot see each other.

    Who connects to --from is connected to --to; each may be said again, for one more. What is said goes
    through as it is: credit, settlements and keys are those of the ends, and the relay has none. When it
    ends, or is started anew, nothing is lost: the ends say again what is missing. Nothing but CURVE is let
    through, unless both addresses are of this machine alone.
    """
    from penstock.link.relay import Counts

    froms, tos = _read("--from", "PENSTOCK_RELAY_FROM", here), _read("--to", "PENSTOCK_RELAY_TO", there)
    if len(froms) != len(tos):
        raise UserError(f"--from has {len(froms)} ports, and --to {len(tos)}: each leads to one other")
    counts = Counts()
    made = [_made(*pair, counts, all_interfaces=all_interfaces) for pair in zip(froms, tos, strict=True)]
    asyncio.run(_run(made, counts))
    return 0


def _read(option: str, variable: str, texts: tuple[str, ...]) -> list[Endpoint]:
    from penstock.patterns.endpoint import read

    if not texts:
        raise UserError(f"say {option} tcp://host:port, or {variable}")
    found = [read(single) for text in texts for single in _singles(text)]
    if wrong := [each for each in found if each.transport != "tcp"]:
        raise UserError(
            f"{option} is an address of tcp, not {wrong[0]}: what is on one machine needs no relay"
        )
    return found


def _singles(text: str) -> list[str]:
    """``tcp://host:7800-7802``, port by port; whatever else as it is."""
    found = re.fullmatch(r"(.*:)([0-9]{1,5})-([0-9]{1,5})", text)
    if found is None or not 0 < int(found[2]) <= int(found[3]):
        return [text]
    return [f"{found[1]}{port}" for port in range(int(found[2]), int(found[3]) + 1)]


def _made(near: Endpoint, far: Endpoint, counts: Counts, *, all_interfaces: bool) -> Relay:
    from penstock.link.relay import Address, Relay

    if near.on_all_interfaces and not all_interfaces:
        raise UserError(f"{near} would listen on all interfaces; name one address, or say --all-interfaces")
    if not far.port or far.on_all_interfaces:
        raise UserError(f"{far} cannot be connected to; name a host and its port")
    host = "" if near.on_all_interfaces else near.place
    closed = not (near.on_loopback and far.on_loopback)
    return Relay(
        Address(host, near.port), Address(far.place, far.port), closed=closed, say=_say, counts=counts
    )


async def _run(relays: list[Relay], counts: Counts) -> None:
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    for relay in relays:
        place = await relay.start()
        _say(f"{place.host or '*'}:{place.port} leads to {relay.there.host}:{relay.there.port}")
    await over.wait()
    for relay in relays:
        await relay.close()
    _say(
        f"ended: {counts.connections:,} connections, {counts.forth:,} bytes forth, {counts.back:,} back,"
        f" {counts.refused:,} not let through"
    )


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
