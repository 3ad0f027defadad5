"""Options that mean the same wherever they appear."""

from __future__ import annotations

import datetime
import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Sequence, TypeVar, cast

import click

if TYPE_CHECKING:
    from penstock.cli.appfile import App

Command = TypeVar("Command", bound=Callable[..., Any])


def _remember_json(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> bool:
    """Tell the group too: then a failure is a document as well."""
    ctx.meta["json"] = asked
    return asked


def json_option(command: Command) -> Command:
    """``--json``: the answer as one document with a schema."""
    return click.option(
        "--json", "as_json", is_flag=True, callback=_remember_json, help="Answer with a JSON document."
    )(command)


def no_password(_ctx: click.Context, _parameter: click.Parameter, url: str | None) -> str | None:
    """The callback of what is the address of a broker: a command line is read by all who list processes.

    Raises:
        BadParameter: there is a password in it.
    """
    before, at, _ = (url or "").partition("://")[2].rpartition("@")
    if at and ":" in before:
        raise click.BadParameter(
            "a password on a command line is seen by all who list processes; put it into a file,"
            " amqps://USER@HOST/?password_file=PATH, or a variable, ?password_env=NAME, or the whole address"
            " into PENSTOCK_BROKER"
        )
    return url


def _go_there(ctx: click.Context, parameter: click.Parameter, url: str | None) -> None:
    """Have this command, and no other, go to that desk."""
    from penstock.tasks import connect

    if no_password(ctx, parameter, url):
        ctx.with_resource(connect.instead(connect.remote(str(url))))


def broker_option(command: Command) -> Command:
    """``--broker URL``: whose jobs are meant, in place of those of this directory's app."""
    return click.option(
        "--broker",
        metavar="URL",
        expose_value=False,
        callback=_go_there,
        help="The RabbitMQ that jobs go over.  [default: what PENSTOCK_BROKER or penstock.toml says]",
    )(command)


def pipeline_option(command: Command) -> Command:
    """``-p NAME``: which of several running pipelines."""
    return click.option(
        "-p", "--pipeline", "name", metavar="NAME", help="Which pipeline, when several run here."
    )(command)


def run_option(command: Command) -> Command:
    """``-p NAME``, and ``--at tcp://HOST:PORT`` with its keys: which run is asked."""

    @functools.wraps(command)
    def asked(*words: Any, at: str | None, key_file: str | None, server: str | None, **options: Any) -> Any:
        if at is None:
            if key_file or server:
                raise click.UsageError("--key-file and --server belong to --at tcp://HOST:PORT")
            return command(*words, **options)
        from penstock.cli.towards import only_server, towards
        from penstock.runtime import client
        from penstock.runtime.trunk import Trunk

        expected = server or (None if key_file else only_server())
        with client.afar(Trunk(at, towards(at, key_file, expected))):
            return command(*words, **options)

    found = click.option(
        "--server", metavar="NAME|KEY", help="Whom --at finds there.  [default: the only one]"
    )(click.option("--key-file", metavar="FILE", help="For --at: a key in place of our own.")(asked))
    found = click.option(
        "--at",
        metavar="TCP://HOST:PORT",
        envvar="PENSTOCK_AT",
        help="A run on another machine (PENSTOCK_AT).",
    )(found)
    return pipeline_option(cast("Command", found))


def state_option(command: Command) -> Command:
    """``--state DIR``: where logs and dead letters lie, when nothing else says so."""
    kind = click.Path(path_type=Path, exists=True, file_okay=False)
    return click.option(
        "--state", metavar="DIR", type=kind, help="The pipeline's state directory, like .penstock/demo."
    )(command)


def refuse_state(state: Path | None) -> None:
    """Nobody says --state, which is a folder here, and --at.

    Raises:
        UsageError: somebody does.
    """
    if state is not None:
        raise click.UsageError("--state is a folder of this machine, and --at asks a run on another one")


def timeout_option(command: Command) -> Command:
    """``--timeout 30s``: how long to wait; a number without a unit is refused."""
    return click.option(
        "--timeout",
        metavar="TIME",
        callback=in_seconds,
        help="How long to wait, like 30s or 2m.  [default: for ever]",
    )(command)


def in_seconds(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """The callback of an option that is a time; a number without a unit is refused."""
    from penstock.pipeline.duration import seconds

    try:
        return None if text is None else seconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def in_ports(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> str:
    """The callback of an option that names ports that follow each other; empty: it was not said."""
    if text is None:
        return ""
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 1 << 16):
        raise click.BadParameter(f"{text!r}: write FIRST-LAST, like 7810-7819")
    return text


def since(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """The callback of an option that is a moment in the past: how long ago, or when; seconds since 1970."""
    if text is None:
        return None
    from penstock.pipeline.duration import seconds

    try:
        return time.time() - seconds(text)
    except ValueError:
        pass
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time; write how long ago, like 30m or 2h, or when, like 2026-11-21T04:00"
        ) from None


def moment(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> datetime.datetime | None:
    """The callback of an option that is a moment to come; without a time zone: local time."""
    if text is None:
        return None
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time; write when, like 2026-11-21T04:00") from None


def app_argument(command: Command) -> Command:
    """``APP``: the file that declares the pipeline, and its name when there are several."""
    return click.argument("app", metavar="[APP.PY[:PIPELINE]]", required=False)(command)


def again(loaded: App, flags: Sequence[str], profile: str | None) -> list[str]:
    """The words by which another command gets the same app and configuration."""
    words = [f"{loaded.path}:{loaded.pipeline.name}", *(word for flag in flags for word in ("--set", flag))]
    return words if profile is None else [*words, "--profile", profile]


def terms_options(command: Command) -> Command:
    """``--offline`` and ``--frozen``: on which terms environments are made ready."""
    offline = click.option("--offline", is_flag=True, help="For environments, take nothing from the network.")
    frozen = click.option(
        "--frozen", is_flag=True, help="Take penstock.lock as it is, whatever it was made from has become."
    )
    return offline(frozen(command))


def config_options(command: Command) -> Command:
    """``--set`` and ``--profile``: what counts more than the code and ``penstock.toml``."""
    flags = click.option(
        "--set",
        "flags",
        metavar="STAGE.KNOB=VALUE",
        multiple=True,
        help="Another value for a knob, or for config.NAME; may be said more than once.",
    )
    profile = click.option(
        "--profile", metavar="NAME", help="The [profile.NAME] of penstock.toml counts, too."
    )
    return flags(profile(command))
