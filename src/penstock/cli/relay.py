"""``penstock relay``: a way through between networks that cannot see each other."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import click

from penstock.cli.group import VerbCommand
from penstock.errors import UserError

if TYPE_CHECKING:
    from penstock.link.relay import Relay
    from penstock.patterns.endpoint import Endpoint

EXAMPLES = (
    "penstock relay --from tcp://10.0.0.9:7788 --to tcp://10.0.0.5:7788",
    "PENSTOCK_RELAY_TO=tcp://first:7788 penstock relay --from tcp://*:7788 --all-interfaces",
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
    default="",
    help="Where to listen, tcp://host:port; or PENSTOCK_RELAY_FROM.",
)
@click.option(
    "--to",
    "there",
    metavar="ADDRESS",
    envvar="PENSTOCK_RELAY_TO",
    default="",
    help="Where that leads; or PENSTOCK_RELAY_TO. A name is looked up for each connection.",
)
@click.option("--all-interfaces", is_flag=True, help="It is meant that --from listens on all of them.")
def relay(here: str, there: str, all_interfaces: bool) -> int:
    """Pass on connections between networks that cannot see each other.

    Who connects to --from is connected to --to. What is said goes through as it is: credit, settlements and
    keys are those of the ends, and the relay has none. When it ends, or is started anew, nothing is lost:
    the ends say again what is missing. Nothing but CURVE is let through, unless both addresses are of this
    machine alone.
    """
    from penstock.link.relay import Address, Relay

    near, far = _read("--from", "PENSTOCK_RELAY_FROM", here), _read("--to", "PENSTOCK_RELAY_TO", there)
    if near.on_all_interfaces and not all_interfaces:
        raise UserError(f"{near} would listen on all interfaces; name one address, or say --all-interfaces")
    if not far.port or far.on_all_interfaces:
        raise UserError(f"{far} cannot be connected to; name a host and its port")
    host = "" if near.on_all_interfaces else near.place
    closed = not (near.on_loopback and far.on_loopback)
    asyncio.run(
        _run(Relay(Address(host, near.port), Address(far.place, far.port), closed=closed, say=_say), near)
    )
    return 0


def _read(option: str, variable: str, text: str) -> Endpoint:
    from penstock.patterns.endpoint import read

    if not text:
        raise UserError(f"say {option} tcp://host:port, or {variable}")
    found = read(text)
    if found.transport != "tcp":
        raise UserError(f"{option} is an address of tcp, not {text!r}: what is on one machine needs no relay")
    return found


async def _run(relay: Relay, near: Endpoint) -> None:
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    place = await relay.start()
    _say(f"{near.place}:{place.port} leads to {relay.there.host}:{relay.there.port}")
    await over.wait()
    await relay.close()
    counts = relay.counts
    _say(
        f"ended: {counts.connections:,} connections, {counts.forth:,} bytes forth, {counts.back:,} back,"
        f" {counts.refused:,} not let through"
    )


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
