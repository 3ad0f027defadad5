"""``penstock bench``: measure this machine, ours beside plain pyzmq."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli import terminal
from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option, no_password
from penstock.cli.table import table

if TYPE_CHECKING:
    from penstock.bench.case import Case
    from penstock.bench.compare import Change
    from penstock.bench.result import Document, Result
    from penstock.bench.road import Weather
    from penstock.bench.stand import Effort

WEATHER = {
    "latency": re.compile(r"[0-9]+(\.[0-9]+)?(us|ms|s)"),
    "rate": re.compile(r"[0-9]+(\.[0-9]+)?[kmg]?bit"),
    "loss": re.compile(r"[0-9]+(\.[0-9]+)?%"),
}
"""How each is written, as ``tc`` reads it."""
INTERRUPTED = 130
"""The exit code after Ctrl-C."""
MISSED = 1
"""The exit code when a target was missed or something regressed."""
HEADER = ("CASE", "OURS", "PEER", "UNIT", "RATIO", "TARGET", "", "PEER IS")
BESIDE = ("us CPU", "MB", "us p50", "us p99")
"""Of what is told beside a rate, what there is room for."""
NEW = click.Path(dir_okay=False, writable=True, path_type=Path)
OLD = click.Path(exists=True, dir_okay=False, path_type=Path)


EXAMPLES = (
    "penstock bench",
    "penstock bench stream-items latency-small --runs 3",
    "penstock bench tasks",
    "penstock bench patterns --quick",
    "penstock bench net --html net.html --rate 100mbit --latency 5ms",
    "penstock bench --json > today.json",
    "penstock bench --compare yesterday.json",
)
EXITS = (
    ("0", "every target was met, and with --compare nothing regressed"),
    ("1", "a target was missed, or something regressed beyond noise"),
    ("130", "Ctrl-C: what was measured by then is told"),
)


def words(context: click.Context, option: click.Parameter, value: str) -> str:
    """What is said of the weather, if it is written as ``tc`` reads it.

    Raises:
        BadParameter: it is not.
    """
    if value and not WEATHER[str(option.name)].fullmatch(value):
        like = {"latency": "5ms", "rate": "100mbit", "loss": "1%"}[str(option.name)]
        raise click.BadParameter(f"{value!r} is not written like {like}")
    return value


@click.command(cls=VerbCommand, examples=EXAMPLES, terms={"Exit codes": EXITS})
@click.argument("case", nargs=-1)
@json_option
@click.option("--compare", "older", metavar="OLD.JSON", type=OLD, help="Say what changed since that answer.")
@click.option("--runs", type=click.IntRange(min=1), help="Alternating runs of each contender.  [default: 5]")
@click.option("--quick", is_flag=True, help="One very short run: to see that it works, not how fast.")
@click.option(
    "--broker",
    metavar="URL",
    callback=no_password,
    help="A virtual host of RabbitMQ for tasks-rabbitmq-*, which is emptied; else these are left out.",
)
@click.option("--html", metavar="FILE", type=NEW, help="Write a page with plots as well, whole in itself.")
@click.option("--latency", callback=words, default="", help="Of net: what a packet takes each way, like 5ms.")
@click.option("--rate", callback=words, default="", help="Of net: what the cable can take, like 100mbit.")
@click.option("--loss", callback=words, default="", help="Of net: which packets get lost, like 1%.")
@click.option("--list", "listing", is_flag=True, help="Only name the cases.")
def bench(
    case: tuple[str, ...],
    as_json: bool,
    older: Path | None,
    runs: int | None,
    quick: bool,
    broker: str | None,
    html: Path | None,
    latency: str,
    rate: str,
    loss: str,
    listing: bool,
) -> int:
    """Measure this machine against plain pyzmq.

    CASE may be `streams` (unless said otherwise; some seven minutes), `environments`: stages in other
    Pythons, `tasks`: jobs, beside other queues, `patterns`: plain sockets, beside pyzmq's own, or `net`:
    those between two hosts, which are network namespaces of this one where you are root, else its loopback.
    Each number is the median of runs in fresh processes, ours and the peer's in turn. RATIO above 1 is always
    better for us.
    """
    cases = chosen(case)
    if listing:
        return print_lines(table([(one.name, one.about) for one in cases]))
    from penstock.bench.result import decode, encode
    from penstock.bench.road import Weather

    before = decode(older.read_bytes(), str(older)) if older else None
    weather = Weather(latency=latency, rate=rate, loss=loss)
    document = measured(able(cases, broker), effort(runs, quick=quick), broker or "", weather)
    if html is not None:
        write_page(html, document, cases)
    if as_json:
        terminal.data(encode(document))
    else:
        print_lines(report(document.results))
    regressed = before is not None and tell_changes(before, document)
    if document.cut:
        return INTERRUPTED
    return 0 if document.met and not regressed else MISSED


def chosen(names: tuple[str, ...]) -> list[Case]:
    """The cases of these names, a family's being all of its; of none, those of streams."""
    from penstock.bench.cases import CASES, ENVIRONMENTS, NET, PATTERNS, STREAMS, TASKS

    families = {
        "streams": STREAMS,
        "environments": ENVIRONMENTS,
        "tasks": TASKS,
        "patterns": PATTERNS,
        "net": NET,
    }
    found: dict[str, Case] = {}
    for name in names or ("streams",):
        if name not in CASES and name not in families:
            there = ", ".join([*families, *CASES])
            raise click.UsageError(f"there is no case {name!r}; there are: {there}")
        found.update(families.get(name) or {name: CASES[name]})
    return list(found.values())


def able(cases: list[Case], broker: str | None) -> list[Case]:
    """Those that can be run here; says which are left out."""
    found = []
    for case in cases:
        if need := needed(case.name, broker):
            terminal.talk(f"{case.name}  is left out: it needs {need}")
        else:
            found.append(case)
    return found


def needed(case: str, broker: str | None) -> str:
    """What a case lacks here, if anything."""
    from penstock.bench.cases import BROKERED
    from penstock.bench.cases.net import NEEDS
    from penstock.bench.squeeze import MODULES, installed

    if case in BROKERED and not broker:
        return "--broker amqp://..."
    if case in NEEDS and not installed(NEEDS[case]):
        return f"the package {MODULES[NEEDS[case]].partition('.')[0]}"
    return ""


def effort(runs: int | None, *, quick: bool) -> Effort:
    """How much is measured."""
    from dataclasses import replace

    from penstock.bench.stand import FULL, QUICK

    usual = QUICK if quick else FULL
    return replace(usual, runs=runs) if runs else usual


def measured(cases: list[Case], much: Effort, broker: str, weather: Weather) -> Document:
    """Run the cases, those of ``net`` between two hosts.

    Raises:
        UsageError: there is weather, and no case that has any.
    """
    from contextlib import nullcontext

    from penstock.bench import road, suite
    from penstock.bench.cases import NET
    from penstock.bench.stand import Stand

    far = any(case.name in NET for case in cases)
    if weather.words and not far:
        raise click.UsageError("--latency, --rate and --loss are for the cases of net, and there is none")
    with road.made(weather, terminal.talk) if far else nullcontext(road.LOOPBACK) as way:
        return suite.run(cases, Stand(much, broker, way), lambda line: terminal.talk(terminal.dim(line)))


def write_page(path: Path, document: Document, cases: list[Case]) -> None:
    """The document as a page."""
    from penstock.bench.page import page

    path.write_text(page(document, {case.name: case.about for case in cases}), "utf-8")
    terminal.talk(terminal.dim(f"written: {path}"))


def tell_changes(before: Document, after: Document) -> bool:
    """Say what changed, on stderr (stdout has the document); true when something regressed."""
    from penstock.bench.compare import compare

    changes = compare(before, after)
    for line in table([change_row(change) for change in changes]):
        terminal.talk(line)
    return any(change.verdict == "regressed" for change in changes)


def change_row(change: Change) -> tuple[str, ...]:
    """One line about one entry; what was not measured this time says so and is no regression."""
    colour = {"regressed": terminal.bad, "improved": terminal.good}.get(change.verdict, terminal.dim)
    name, unit, peer = change.key
    change_of_ratio = f"{ratio(change.before)} -> {ratio(change.after)}"
    return name, unit, peer or "", change_of_ratio, colour(change.verdict), f"noise {change.tolerance:.0%}"


def report(results: list[Result]) -> list[str]:
    """The table for people; what is told beside the rates has columns where there is any."""
    extra = [name for name in BESIDE if any(name in result.beside for result in results)]
    header = (*HEADER, *(name.upper() for name in extra))
    return table([result_row(result, extra) for result in results], header, right=(1, 2, 4))


def result_row(result: Result, extra: Sequence[str]) -> tuple[str, ...]:
    """One line of it."""
    return (
        result.case,
        number(result.ours),
        number(result.peer),
        result.unit,
        ratio(result.ratio),
        target(result),
        terminal.good("met") if result.met else terminal.bad("missed"),
        result.peer_name or "",
        *(beside(result.beside.get(name)) for name in extra),
    )


def beside(pair: tuple[float, float | None] | None) -> str:
    """Ours, and that of the peer."""
    return " / ".join(number(value) for value in pair or () if value is not None)


def target(result: Result) -> str:
    """The target as its own unit has it."""
    return f"{result.target:.2f}x" if result.peer_name else f"{result.target:,.10g} {result.unit}"


def number(value: float | None) -> str:
    """Three or four digits, thousands apart."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def ratio(value: float | None) -> str:
    """How many times better."""
    return "-" if value is None else f"{value:.2f}x"


def print_lines(lines: list[str]) -> int:
    """Write data."""
    for line in lines:
        terminal.data(line)
    return 0
