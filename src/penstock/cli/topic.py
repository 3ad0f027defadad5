"""``penstock topic``: what a pipeline publishes: listen to it, count it, add to it."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from penstock.cli import figures, terminal
from penstock.cli.document import document, plain
from penstock.cli.group import VerbCommand, VerbFamily
from penstock.cli.options import in_seconds, json_option, pipeline_option, run_option
from penstock.cli.table import table
from penstock.errors import NotRunning, TimedOut, UserError
from penstock.message.topics import asked, wants
from penstock.runtime import client

if TYPE_CHECKING:
    from penstock.runtime.audience import Message

EXAMPLES = (
    "penstock topic list",
    "penstock topic echo 'metrics.*'",
    "penstock topic hz",
    "penstock topic pub light.level 0.4",
)
topics_argument = click.argument("topics", metavar="[TOPIC]...", nargs=-1)
count_option = click.option("-n", "--count", type=click.IntRange(min=1), help="Leave after so many.")


@click.group(cls=VerbFamily, examples=EXAMPLES)
def topic() -> None:
    """Listen to what a running pipeline publishes.

    A TOPIC is the whole name of one, or its beginning with a * behind it: 'metrics.*'. Quote it, for the
    shell.
    """


@topic.command(
    "list",
    cls=VerbCommand,
    examples=["penstock topic list", "penstock topic list --json"],
    terms={"What the columns say": [(name.upper(), why) for name, why in figures.MISSED.items()]},
)
@run_option
@json_option
def list_(name: str | None, as_json: bool) -> None:
    """List topics and who gets them.

    What was published since the run began, and of each subscriber how much it has got and why it has not
    got the rest.
    """
    answer = client.call(client.find(name), "topics")
    if as_json:
        found = {key: answer[key] for key in ("pipeline", "run", "topics", "subscriptions")}
        terminal.data(document("topics", **found))
        return
    lines = topic_table(answer)
    terminal.data("\n".join(lines) if lines else "nothing was published yet")


def topic_table(answer: dict[str, Any]) -> list[str]:
    """Topics, and below them who gets them; nothing where nothing was published."""
    topics, heard = answer.get("topics", []), answer.get("subscriptions", [])
    if not topics:
        return []
    lines = table(
        [[each["topic"], figures.number(each["published"])] for each in topics],
        ("TOPIC", "PUBLISHED"),
        right=(1,),
    )
    return [*lines, "", *_heard(heard)] if heard else lines


def _heard(rows: list[dict[str, Any]]) -> list[str]:
    some = [name for name in figures.MISSED if any(each[name] for each in rows)]
    header = ["SUBSCRIBER", "TOPIC", "OFFERED", "GOT", "IN FLIGHT", *(name.upper() for name in some)]
    names = ("offered", "delivered", "in_flight", *some)
    cells = [
        [each["subscriber"], each["topic"], *(figures.number(each[name]) for name in names)] for each in rows
    ]
    return table(cells, header, right=range(2, len(header)))


@topic.command(
    cls=VerbCommand, examples=["penstock topic echo 'metrics.*'", "penstock topic echo -n 1 --last"]
)
@topics_argument
@count_option
@click.option("--last", is_flag=True, help="First the last value of each topic that keeps one.")
@click.option("--conflate", is_flag=True, help="While we are behind, of each topic the newest only.")
@click.option("--timeout", metavar="TIME", callback=in_seconds, help="Leave when nothing comes for so long.")
@pipeline_option
@json_option
def echo(
    topics: tuple[str, ...],
    count: int | None,
    last: bool,
    conflate: bool,
    timeout: float | None,
    name: str | None,
    as_json: bool,
) -> None:
    """Show what is published, as it comes.

    All topics, or those that are named. Ends with the run, or by Ctrl-C; whoever publishes never waits for
    us. With --json, one document a line.
    """
    from penstock.runtime.audience import subscribe

    seen = 0
    with subscribe(*(topics or ("*",)), pipeline=name, last=last, conflate=conflate) as messages:
        while seen != count:
            try:
                message = messages.receive(None if timeout is None else timedelta(seconds=timeout))
            except NotRunning:
                return
            except TimedOut:
                raise TimedOut(f"nothing was published within {figures.duration(timeout or 0)}") from None
            seen += 1
            _show(message, as_json=as_json)


def _show(message: Message, *, as_json: bool) -> None:
    if as_json:
        from penstock.cli.shipment import plain as shipped

        facts = {"topic": message.topic, "source": message.source, "at": message.at, "kept": message.kept}
        value = shipped(message.value, {})
        terminal.data(plain({"schema": "penstock.published/1", **facts, "value": value}))
        return
    from penstock.cli.preview import describe

    terminal.data(
        f"{terminal.strong(message.topic)}   {terminal.dim(message.source)}   {describe(message.value)}"
    )


@topic.command(cls=VerbCommand, examples=["penstock topic hz", "penstock topic hz 'metrics.*' --count 5"])
@topics_argument
@count_option
@click.option(
    "--every", metavar="TIME", callback=in_seconds, default="1s", show_default=True, help="How often."
)
@run_option
@json_option
def hz(topics: tuple[str, ...], count: int | None, every: float, name: str | None, as_json: bool) -> None:
    """Show how often something is published.

    Counted where it is published, so nobody is disturbed. With --json, one document a line.
    """
    wanted, run = asked(topics or ("*",)), client.find(name)
    before, seen = client.call(run, "topics"), 0
    while seen != count:
        time.sleep(every)
        try:
            after = client.call(run, "topics")
        except NotRunning:
            return
        _tell_rates(_rates(before, after, wanted), as_json=as_json)
        before, seen = after, seen + 1


def _rates(before: dict[str, Any], after: dict[str, Any], wanted: tuple[str, ...]) -> dict[str, float]:
    span = after["now"] - before["now"] or 1.0
    known = {each["topic"]: each["published"] for each in before["topics"]}
    return {
        each["topic"]: (each["published"] - known.get(each["topic"], 0)) / span
        for each in after["topics"]
        if wants(wanted, each["topic"])
    }


def _tell_rates(rates: dict[str, float], *, as_json: bool) -> None:
    if as_json:
        rounded = {name: round(rate, 3) for name, rate in rates.items()}
        terminal.data(plain({"schema": "penstock.rates/1", "rates": rounded}))
    else:
        rows = [[name, f"{figures.number(round(rate, 1))}/s"] for name, rate in rates.items()]
        terminal.data("\n".join(table(rows, right=(1,))) if rows else "nothing was published yet")


@topic.command(
    cls=VerbCommand,
    examples=["penstock topic pub light.level 0.4", "penstock topic pub note 'all is well' --text"],
)
@click.argument("topic_name", metavar="TOPIC")
@click.argument("value")
@click.option("--text", is_flag=True, help="VALUE is text as it stands, and no JSON.")
@click.option(
    "--timeout",
    metavar="TIME",
    callback=in_seconds,
    default="5s",
    show_default=True,
    help="How long to wait.",
)
@pipeline_option
@json_option
def pub(topic_name: str, value: str, text: bool, timeout: float, name: str | None, as_json: bool) -> int:
    """Publish one value to a running pipeline.

    VALUE is JSON. Waits until all who have subscribed have it; exit code 1 when some had not in time.
    """
    from penstock.runtime import audience

    outcome = audience.publish(client.find(name), topic_name, _value(value, text=text), within=timeout)
    if as_json:
        terminal.data(document("publication", topic=topic_name, **outcome._asdict()))
    else:
        got = (
            "nobody has subscribed to it" if not any(outcome) else f"{_subscribers(outcome.delivered)} got it"
        )
        missed = f", {_subscribers(outcome.missed)} did not in time" if outcome.missed else ""
        terminal.talk(f"{topic_name}: {got}{missed}")
    return int(bool(outcome.missed))


def _value(value: str, *, text: bool) -> Any:
    try:
        return value if text else json.loads(value)
    except ValueError:
        raise UserError(f"{value!r:.80} is not JSON; for text as it stands say --text") from None


def _subscribers(count: int) -> str:
    return "1 subscriber" if count == 1 else f"{figures.number(count)} subscribers"
