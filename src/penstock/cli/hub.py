"""``penstock hub``: keeps the store of jobs where these go over a broker."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from penstock.cli.group import VerbCommand
from penstock.cli.options import no_password
from penstock.errors import UserError

if TYPE_CHECKING:
    from penstock.tasks.home import Home
    from penstock.tasks.keeping import Keeping

EXAMPLES = (
    "penstock hub --broker amqps://rabbit.example/penstock",
    "PENSTOCK_JOBS=/var/lib/penstock/jobs.db penstock hub",
    "penstock hub --recover",
)
EXITS = (
    ("0", "it was ended: Ctrl-C or SIGTERM"),
    ("4", "no broker is named, or what is said is no address"),
    ("5", "the broker or the store cannot be used"),
)


@click.command(cls=VerbCommand, examples=EXAMPLES, terms={"Exit codes": EXITS})
@click.option(
    "--broker", metavar="URL", default="", callback=no_password, help="The RabbitMQ that jobs go over."
)
@click.option(
    "--recover",
    is_flag=True,
    help="The store was lost, or is an old copy: have from the broker, and from workers, what they know.",
)
def hub(broker: str, recover: bool) -> int:
    """Keep the store of jobs, where these go over a broker.

    It writes down what is submitted and what becomes of it, says who may begin a job, and answers whoever
    asks. The store is .penstock/jobs.db here, or what PENSTOCK_JOBS says. While it is away nothing is lost:
    what runs goes on, and what is said waits in the broker. Start a second one on the same store, and it
    stands by.
    """
    from penstock.config.file import nearest_file
    from penstock.config.tasks import keeping
    from penstock.tasks import home
    from penstock.tasks.keeping import USUAL

    directory = os.getcwd()
    address = home.broker(directory, os.environ, broker)
    if not address:
        raise UserError(
            "no broker is named: say --broker amqps://..., or PENSTOCK_BROKER,"
            " or [tasks] broker in penstock.toml"
        )
    file = nearest_file(directory)
    kept = keeping(file) if file else USUAL
    asyncio.run(_keep(address, home.locate(directory, os.environ), kept, recovers=recover))
    return 0


async def _keep(address: str, home: Home, keeping: Keeping, *, recovers: bool) -> None:
    from penstock.rabbitmq import url
    from penstock.rabbitmq.hub import Hub

    found = url.parse(address)
    hub = Hub(found, home, say=_say, keeping=keeping, recovers=recovers)
    keeper = asyncio.ensure_future(hub.run(lambda: _say(f"{found}: ready; {home.store}")))
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, keeper.cancel)
    try:
        await keeper
    except asyncio.CancelledError:
        _say("ended")


def _say(sentence: str) -> None:
    print(f"penstock hub: {sentence}", file=sys.stderr, flush=True)
