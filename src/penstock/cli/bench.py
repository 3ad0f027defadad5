"""``penstock bench``: measure this machine, ours beside plain pyzmq."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli import terminal
from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option
from penstock.cli.table import table

if TYPE_CHECKING:
    from penstock.bench.case import Case
    from penstock.bench.compare import Change
    from penstock.bench.result import Document, Result
    from penstock.bench.stand import Stand

MISSED = 1
"""The exit code when a target was missed or something regressed."""
HEADER = ("CASE", "OURS", "PEER", "UNIT", "RATIO", "TARGET", "", "PEER IS")
OLD = click.Path(exists=True, dir_okay=False, path_type=Path)


EXAMPLES = (
    "penstock bench",
    "penstock bench stream-items latency-small --runs 3",
    "penstock bench tasks",
    "penstock bench --json > today.json",
    "penstock bench --compare yesterday.json",
)
EXITS = (
    ("0", "every target was met, and with --compare nothing regressed"),
    ("1", "a target was missed, or something regressed beyond noise"),
)


@click.command(cls=VerbCommand, examples=EXAMPLES, terms={"Exit codes": EXITS})
@click.argument("case", nargs=-1)
@json_option
@click.option("--compare", "older", metavar="OLD.JSON", type=OLD, help="Say what changed since that answer.")
@click.option("--runs", type=click.IntRange(min=1), help="Alternating runs of each contender.  [default: 5]")
@click.option("--quick", is_flag=True, help="One very short run: to see that it works, not how fast.")
@click.option("--broker", metavar="URL", help="A RabbitMQ for tasks-rabbitmq-*; else these are left out.")
@click.option("--list", "listing", is_flag=True, help="Only name the cases.")
def bench(
    case: tuple[str, ...],
    as_json: bool,
    older: Path | None,
    runs: int | None,
    quick: bool,
    broker: str | None,
    listing: bool,
) -> int:
    """Measure this machine against plain pyzmq.

    CASE may be `streams` (unless said otherwise; some seven minutes) or `tasks`: jobs, beside other queues.
    Each number is the median of runs in fresh processes, ours and the peer's in turn. RATIO above 1 is always
    better for us.
    """
    cases = chosen(case)
    if listing:
        return print_lines(table([(one.name, one.about) for one in cases]))
    from penstock.bench import suite
    from penstock.bench.result import decode, encode

    before = decode(older.read_bytes(), str(older)) if older else None
    cases = able(cases, broker)
    place = stand(runs, quick=quick, broker=broker or "")
    document = suite.run(cases, place, lambda line: terminal.talk(terminal.dim(line)))
    if as_json:
        terminal.data(encode(document))
    else:
        print_lines(report(document.results))
    regressed = before is not None and tell_changes(before, document)
    return 0 if document.met and not regressed else MISSED


def chosen(names: tuple[str, ...]) -> list[Case]:
    """The cases of these names, ``streams`` and ``tasks`` being all of those; of none, those of streams."""
    from penstock.bench.cases import CASES, STREAMS, TASKS

    families = {"streams": STREAMS, "tasks": TASKS}
    found: dict[str, Case] = {}
    for name in names or ("streams",):
        if name not in CASES and name not in families:
            there = ", ".join([*families, *CASES])
            raise click.UsageError(f"there is no case {name!r}; there are: {there}")
        found.update(families.get(name) or {name: CASES[name]})
    return list(found.values())


def able(cases: list[Case], broker: str | None) -> list[Case]:
    """Those that can be run here; says which are left out."""
    from penstock.bench.cases import BROKERED

    found = [case for case in cases if broker or case.name not in BROKERED]
    for case in cases:
        if case not in found:
            terminal.talk(f"{case.name}  is left out: it needs --broker amqp://...")
    return found


def stand(runs: int | None, *, quick: bool, broker: str) -> Stand:
    """A test stand with the effort that was asked for."""
    from dataclasses import replace

    from penstock.bench.stand import FULL, QUICK, Stand

    effort = QUICK if quick else FULL
    return Stand(replace(effort, runs=runs) if runs else effort, broker)


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
    """The table for people."""
    return table([result_row(result) for result in results], HEADER, right=(1, 2, 4))


def result_row(result: Result) -> tuple[str, ...]:
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
    )


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
