"""``penstock join``: this host takes part in a pipeline that runs on another."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli import terminal
from penstock.cli.group import VerbCommand
from penstock.cli.options import in_ports, in_seconds, terms_options
from penstock.cli.towards import towards
from penstock.errors import UserError

if TYPE_CHECKING:
    from penstock.patterns.endpoint import Endpoint

MANY = 16
"""Workers that one core is not asked to have without a word: a typing error, or they mostly wait."""
EXAMPLES = (
    "penstock join tcp://10.0.0.5:7788 --key-file join.key",
    "penstock join tcp://10.0.0.5:7788 --key-file join.key --stage detect=4",
    "penstock join tcp://10.0.0.5:7788 --server lab --label gpu",
)
EXITS = (
    ("0", "the pipeline has ended, or this host has left it"),
    ("3", "no run answers there"),
    ("4", "the run does not take this host, or a key cannot be used"),
    ("5", "an environment cannot be made here, or workers do not start here or die too often"),
    ("130", "it was ended by a second Ctrl-C"),
)


@click.command(cls=VerbCommand, examples=EXAMPLES, terms={"Exit codes": EXITS})
@click.argument("endpoint", metavar="TCP://HOST:PORT")
@click.option(
    "--key-file", metavar="FILE", type=click.Path(), help="The key that `run --listen` has written."
)
@click.option("--server", metavar="NAME|KEY", help="With keys of our own: whom we expect there, as trusted.")
@click.option(
    "--stage",
    "stages",
    metavar="NAME=N",
    multiple=True,
    help="N replicas more of a stage, here, for as long as this host is there; may be said again.",
)
@click.option("--group", "groups", metavar="NAME", multiple=True, help="One worker more of a group of tasks.")
@click.option("--label", "labels", metavar="NAME", multiple=True, help='For stages that say hosts="NAME".')
@click.option("--name", metavar="NAME", help="What this host is called.  [default: its own name]")
@click.option(
    "--address",
    metavar="IP",
    help="Where workers of other hosts reach those here.  [default: by which we reach the run]",
)
@click.option(
    "--found-at",
    "found",
    metavar="HOST",
    default="",
    help="Where they do instead: a relay that passes on --ports.",
)
@click.option(
    "--ports",
    metavar="FIRST-LAST",
    callback=in_ports,
    help="At which ports workers here listen: those that a tunnel or relay carries.  [default: any]",
)
@click.option(
    "--code", metavar="DIR", type=click.Path(file_okay=False), help="The app's folder is here already."
)
@click.option(
    "--patience",
    metavar="TIME",
    callback=in_seconds,
    help="How long a run may take to answer.  [default: 60s]",
)
@terms_options
def join(
    endpoint: str,
    key_file: str | None,
    server: str | None,
    stages: tuple[str, ...],
    groups: tuple[str, ...],
    labels: tuple[str, ...],
    name: str | None,
    address: str | None,
    found: str,
    ports: str,
    code: str | None,
    patience: float | None,
    offline: bool,
    frozen: bool,
) -> int:
    """Run workers of another host's pipeline here.

    That host began it with `penstock run --listen`, and decides. The app's code is fetched from there and
    environments are built here. Without --stage this host takes what is started from now on: where there are
    the fewest workers to a core. Ctrl-C (or SIGTERM) leaves: the workers here finish what they hold. A second
    one ends them now; others do again what they had not finished.
    """
    from penstock.environments.store import Store
    from penstock.runtime.agent.agent import PATIENCE, Agent, Wish, run
    from penstock.runtime.supervisor.provision import Terms
    from penstock.settings import Settings

    place = _listens(endpoint)
    if found and not ports:
        raise click.UsageError("--found-at leads to ports that were said: say --ports as well")
    cores = len(os.sched_getaffinity(0))
    wish = Wish(
        brings=_brings(stages, groups, cores),
        address=_ours(address) if address else _address(place.place, place.port),
        endpoint=endpoint,
        towards=towards(endpoint, key_file, server),
        name=name or re.sub(r"[^\w.-]", "-", socket.gethostname()) or "host",
        labels=labels,
        found=found,
        ports=ports,
        code=str(Path(code).resolve()) if code else None,
        cores=cores,
    )
    environ = dict(os.environ)
    agent = Agent(
        wish,
        settings=Settings.read(environ),
        cache=Store.of(environ).root,
        say=terminal.talk,
        terms=Terms(offline, frozen),
        patience=PATIENCE if patience is None else patience,
    )
    return run(agent)


def _listens(endpoint: str) -> Endpoint:
    """Where the run does.

    Raises:
        UserError: it cannot be there.
    """
    from penstock.patterns.endpoint import read

    place = read(endpoint)
    if place.transport != "tcp" or not place.port:
        raise UserError(f"{endpoint} is not where a run listens: write tcp://HOST:PORT")
    return place


def _brings(stages: tuple[str, ...], groups: tuple[str, ...], cores: int) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for text in stages:
        name, sign, count = text.partition("=")
        if not name or (sign and not re.fullmatch(r"[1-9][0-9]{0,2}", count)):
            raise click.BadParameter(f"{text!r}: write NAME=N, like detect=4", param_hint="--stage")
        found[name] = found.get(name, 0) + int(count or 1)
    for name in groups:
        found[name] = found.get(name, 0) + 1
    if (brought := sum(found.values())) > MANY * cores:
        terminal.talk(f"{brought} workers are to be here, on {cores} cores: each is a process of its own")
    return tuple(found.items())


def _ours(address: str) -> str:
    """``address``, if workers here can listen there and be found there."""
    try:
        found = ipaddress.ip_address(address)
        with socket.socket(socket.AF_INET if found.version == 4 else socket.AF_INET6) as probe:
            probe.bind((address, 0))
    except (ValueError, OSError):
        found = None
    if found is None or found.is_unspecified:
        raise UserError(f"--address {address} is not one address of this machine, by which others reach it")
    return address


def _address(host: str, port: int) -> str:
    """The address by which this machine reaches that one. (Nothing is sent.)"""
    try:
        family, kind, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(where)
            return str(probe.getsockname()[0])
    except OSError as error:
        raise UserError(f"{host} is not found from here: {error.strerror or error}") from None
