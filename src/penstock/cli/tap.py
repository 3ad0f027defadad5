"""``penstock tap``: samples of what flows between stages, without a change to what flows."""

from __future__ import annotations

import base64
import json
import math
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from penstock.cli import terminal
from penstock.cli.group import VerbCommand
from penstock.cli.links import named
from penstock.cli.options import json_option, run_option
from penstock.errors import PenstockError
from penstock.message import letter as letters
from penstock.message.letter import Letter
from penstock.runtime import client, rundir
from penstock.runtime.client import Run

LOOK = 0.02
"""Seconds between two looks for samples. (Only this command looks; the pipeline waits for nobody.)"""
EXAMPLES = ("penstock tap detect", "penstock tap 'camera->detect' -n 3", "penstock tap detect --save samples")


@click.command(cls=VerbCommand, examples=EXAMPLES)
@click.argument("place", metavar="LINK|STAGE")
@click.option("-n", "--count", type=click.IntRange(min=1), help="Leave after so many.")
@click.option(
    "--rate",
    type=click.FloatRange(0.01, 100),
    default=5.0,
    show_default=True,
    help="How many a second at most.",
)
@click.option(
    "--save",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep each as a file.",
)
@run_option
@json_option
def tap(
    place: str, count: int | None, rate: float, save: Path | None, name: str | None, as_json: bool
) -> None:
    """Show samples of what flows between stages.

    LINK is one of `ps`, like camera->detect; of a STAGE, what leaves it is shown, of a sink what comes to it.
    What flows, and how, stays as it is; nobody waits for whoever looks. --save writes arrays as .npz, all
    else as .json. With --json, one document a line.
    """
    run = client.find(name)
    links = [link["id"] for link in named(place, client.call(run, "ps"))]
    for seen, sample in enumerate(_told(run, links, rate) if run.trunk else _seen(run, links, rate), 1):
        _show(sample, save, as_json=as_json)
        if seen == count:
            return


def _told(run: Run, links: list[int], rate: float) -> Iterator[Letter]:
    """As a run on another machine tells of them, one with each question."""
    who = os.urandom(8).hex()
    while (data := client.call(run, "sample", who=who, links=links, rate=rate)["data"]) is not None:
        yield letters.parse(base64.b64decode(data), "a sample")


def _seen(run: Run, links: list[int], rate: float) -> Iterator[Letter]:
    with client.tapped(run, links, rate):
        yield from _samples(run, set(links))


def _samples(run: Run, links: set[int]) -> Iterator[Letter]:
    """As they come, each taken away: only then the next is made."""
    while rundir.is_alive(run.path):
        quiet = True
        for path in Path(run.path).glob("*.tap"):
            if int(path.name.split(".")[1]) not in links:
                continue
            try:
                sample = letters.read(path)
                path.unlink()
            except FileNotFoundError:  # its worker has ended meanwhile
                continue
            quiet = False
            yield sample
        if quiet:
            time.sleep(LOOK)


def _show(sample: Letter, save: Path | None, *, as_json: bool) -> None:
    from penstock.cli.preview import preview

    saved = _save(sample, save) if save is not None else None
    if as_json:
        facts = {"link": sample.link, "id": sample.id, "attempt": sample.attempts, "at": sample.when}
        told = {"schema": "penstock.sample/1", **facts, "saved": saved and str(saved), **_facts(sample)}
        terminal.data(json.dumps(told, ensure_ascii=False))
    else:
        terminal.data(f"{terminal.dim(sample.link)}   {terminal.strong(sample.id)}   {preview(sample)}")


def _facts(sample: Letter) -> dict[str, Any]:
    """What is in it: type, and shape, dtype and range where it is an array, else its text."""
    from penstock.cli.preview import preview

    value, facts = _value(sample), {"bytes": len(sample.payload), "type": "", "text": preview(sample)}
    if value is not None:
        facts["type"] = type(value).__name__
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        facts |= {"dtype": str(value.dtype), "shape": list(value.shape), "bytes": value.nbytes}
        if value.size and value.dtype.kind in "iufb":
            facts |= {name: _number(getattr(value, name)()) for name in ("min", "max", "mean")}
    return facts


def _number(value: Any) -> float | None:
    """As JSON has it, which knows no NaN and no infinity."""
    number = float(value)
    return number if math.isfinite(number) else None


def _save(sample: Letter, folder: Path) -> Path:
    """Write it there; where. An array alone is an npz file; all else is JSON, and its arrays lie beside."""
    from penstock.cli.shipment import plain

    folder.mkdir(parents=True, exist_ok=True)
    value, path = _value(sample), folder / (re.sub(r"[^\w.-]", "_", sample.id) + ".json")
    arrays: dict[str, Any] = {}
    said = plain(value, arrays)
    if arrays:
        import numpy as np

        alone = any(array is value for array in arrays.values())
        np.savez(path.with_suffix(".npz"), **({"value": value} if alone else arrays))
        if alone:
            return path.with_suffix(".npz")
    path.write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
    return path


def _value(sample: Letter) -> Any:
    """What was sent; None for what is not opened only to look at it (a pickle)."""
    try:
        return sample.value()
    except PenstockError:
        return None
