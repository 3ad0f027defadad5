"""``penstock deploy``: another version of a service gets a part of its calls, then all of them or none."""

from __future__ import annotations

import re
from typing import Any

import click

from penstock.cli import figures, terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand
from penstock.cli.options import json_option, run_option
from penstock.cli.table import table
from penstock.errors import UserError
from penstock.runtime import client
from penstock.runtime.client import Run

HEADER = ("SERVICE", "VERSION", "SHARE", "READY", "CALLS", "FAILED", "P50", "P99", "CODE")
FIRST_SHARE = 0.1
"""Of a version of which nothing else is said."""

Answer = dict[str, Any]


def _share(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """``10%`` as 0.1."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if found is None or float(found[1]) > 100:
        raise click.BadParameter(f"{text!r} is no share from 0% to 100%, like 10%")
    return float(found[1]) / 100


@click.command(
    cls=VerbCommand,
    examples=[
        "penstock deploy classify=v2 --share 10%",
        "penstock deploy classify --share 50%",
        "penstock deploy classify --all",
        "penstock deploy",
    ],
)
@click.argument("what", metavar="[SERVICE[=CODE]]", required=False)
@click.option("--share", metavar="PERCENT", callback=_share, help="Its part of the calls.  [default: 10%]")
@click.option("--all", "outcome", flag_value="all", help="It gets all calls; the older one ends.")
@click.option("--none", "outcome", flag_value="none", help="It ends; the older one gets all calls.")
@run_option
@json_option
def deploy(
    what: str | None, share: float | None, outcome: str | None, name: str | None, as_json: bool
) -> None:
    """Try another version of a service, then take it or leave it.

    CODE is another `@service`: its name in the app, FILE.py:NAME or MODULE:NAME. Its workers are started now
    and have the name SERVICE@NAME. Without SERVICE, all services are shown with their versions side by side:
    what each has done since the second one was deployed.
    """
    run = client.find(name)
    answer = _asked(run, what, share, outcome)
    if as_json:
        terminal.data(document("deploy", pipeline=answer["pipeline"], services=answer["services"]))
    else:
        terminal.data("\n".join(side_by_side(answer)))


def _asked(run: Run, what: str | None, share: float | None, outcome: str | None) -> Answer:
    if what is None:
        if share is not None or outcome:
            raise UserError("say which service: penstock deploy SERVICE --all")
        return client.call(run, "versions")
    service, equals, code = what.partition("=")
    if share is not None and outcome:
        raise UserError(f"--share and --{outcome} are two things: say one of them")
    if equals:
        if outcome:
            raise UserError(f"first {code} gets a share of the calls; --{outcome} ends that")
        return _begun(run, service, code, FIRST_SHARE if share is None else share)
    if outcome:
        return client.call(run, "share", service=service, everything=outcome == "all")
    if share is None:
        raise UserError(
            f"say what: penstock deploy {service}=CODE, or {service} with --share, --all or --none"
        )
    return client.call(run, "share", service=service, share=share)


def _begun(run: Run, service: str, code: str, share: float) -> Answer:
    import msgspec

    from penstock.cli import appfile

    if client.is_afar():
        raise UserError(
            f"{code} is deployed on the machine of the run, where the code is; from here go --share, --all"
            " and --none"
        )
    found = appfile.service(code, run.app)
    stage = msgspec.structs.replace(found.plan(), name=f"{service}@{_label(service, code)}")
    return client.call(run, "deploy", service=service, stage=msgspec.to_builtins(stage), share=share)


def _label(service: str, code: str) -> str:
    """How the version is told from others: by its name, or by its file where that is the same."""
    file, _, name = code.rpartition(":")
    if name != service or not file:
        return name
    return file.removesuffix(".py").replace("\\", "/").rpartition("/")[2].rpartition(".")[2]


def side_by_side(answer: Answer) -> list[str]:
    """A line for each version of each service."""
    if not answer["services"]:
        return [f"{answer['pipeline']} has no service"]
    rows = [
        [each["service"] if at == 0 else "", *_row(version)]
        for each in answer["services"]
        for at, version in enumerate(each["versions"])
    ]
    return table(rows, HEADER, right=range(2, 8))


def _row(version: Answer) -> list[str]:
    ending = version["state"] == "ends"
    return [
        version["version"],
        "ends" if ending else f"{version['share']:.0%}",
        f"{version['ready']}/{version['asked']}",
        figures.number(version["calls"]),
        figures.number(version["failed"]),
        figures.took(version["p50"]),
        figures.took(version["p99"]),
        version["code"],
    ]
