"""The document as one page of HTML: tables and plots, with nothing to fetch and nothing to run."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import version
from itertools import groupby

from penstock.bench.histogram import PERCENTILES
from penstock.bench.plots import Bar, Line, Spread, bars, curves, short, spreads
from penstock.bench.ramp import LATE
from penstock.bench.result import Document, Result

STYLE = """
:root { color-scheme: light dark; --paper: #fbfbfa; --card: #fff; --ink: #1c1e21; --soft: #646a73;
  --rule: #e3e4e6; --ours: #1f6feb; --peer: #b4690e; --good: #1a7f37; --bad: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --paper: #111316; --card: #191c20; --ink: #e6e8eb;
  --soft: #9aa1ab; --rule: #2c3036; --ours: #6cb0ff; --peer: #e3a04f; --good: #56d364; --bad: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem; max-width: 1500px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 .2rem; font-size: 1.5rem; } h2 { margin: 0; font-size: 1.05rem; }
p { margin: .2rem 0 .8rem; color: var(--soft); }
main { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 34rem), 1fr)); }
section { min-width: 0; padding: 1rem; background: var(--card); border: 1px solid var(--rule);
  border-radius: .6rem; }
h3 { margin: .9rem 0 .2rem; font-size: .85rem; font-weight: 600; color: var(--soft); }
.wide { overflow-x: auto; padding-bottom: .3rem; }
table { border-collapse: collapse; width: 100%; font-size: .82rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .5rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--rule); }
th { color: var(--soft); font-weight: 600; }
th:first-child, td:first-child { position: sticky; left: 0; padding-left: 0; text-align: left;
  background: var(--card); border-right: 1px solid var(--rule); }
.met { color: var(--good); } .missed { color: var(--bad); } .of { color: var(--soft); }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11.5px system-ui, sans-serif; fill: var(--soft); }
svg text.strong { fill: var(--ink); font-weight: 600; }
rect.ours, circle.ours { fill: var(--ours); } rect.peer, circle.peer { fill: var(--peer); }
line.ours, polyline.ours { stroke: var(--ours); } line.peer, polyline.peer { stroke: var(--peer); }
line, polyline { fill: none; stroke-width: 2; } .faint { opacity: .45; stroke-dasharray: 4 4; }
line.grid { stroke: var(--rule); stroke-width: 1; }
line.limit { stroke: var(--bad); stroke-width: 1; stroke-dasharray: 6 4; }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em; border-radius: 2px; }
"""
KEY = (
    '<span class="key" style="background: var(--ours)"></span>penstock'
    '<span class="key" style="background: var(--peer)"></span>peer'
)


def page(document: Document, abouts: Mapping[str, str]) -> str:
    """The page; ``abouts``: what cases are about, by name."""
    cards = [
        card(name, abouts.get(name, ""), list(results))
        for name, results in groupby(document.results, key=lambda result: result.case)
    ]
    met = sum(result.met for result in document.results)
    cut = " It was ended before all was measured." if document.cut else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>penstock bench</title><style>{STYLE}</style></head><body><h1>penstock bench</h1>"
        f"<p>{met} of {len(document.results)} targets met.{cut} {escape(machine())}.{KEY}</p>"
        f"<main>{''.join(cards)}</main></body></html>\n"
    )


def machine() -> str:
    """Where it was measured, in a line: nothing that says whose it is."""
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}, pyzmq {version('pyzmq')}, penstock {version('penstock')}"
    )


def card(name: str, about: str, results: Sequence[Result]) -> str:
    """A case: its plots, and all its numbers."""
    peers = dict.fromkeys(result.peer_name for result in results)
    plots = "".join(plotted([each for each in results if each.peer_name == peer], peer) for peer in peers)
    failed = "<p>It could not be run.</p>" if all(result.ours is None for result in results) else ""
    return (
        f'<section id="{escape(name)}"><h2>{escape(name)}</h2><p>{escape(about)}</p>{plots}{failed}'
        f'<div class="wide">{numbers(results)}</div></section>'
    )


def plotted(results: Sequence[Result], peer: str | None) -> str:
    """The plots of entries that have the same peer, each under its heading."""
    beside = f" beside {peer}" if peer else ""
    found = [(f"{unit}{beside}, logarithmic", bars(unit, rows)) for unit, rows in rated(results).items()]
    delays = [spread(result) for result in results if set(PERCENTILES) <= set(result.beside)]
    if delays:
        names = [name.removeprefix("us ") for name in PERCENTILES]
        what = f"delays in us: {', '.join(names)}"
        found.append((what, spreads(what, names, delays)))
    found += [
        ("delays in us over messages/s: p99, and p50 dashed", curves("a ramp", ramp(result), LATE))
        for result in results
        if result.steps
    ]
    return "".join(f"<h3>{escape(heading)}</h3>{plot}" for heading, plot in found)


def rated(results: Sequence[Result]) -> dict[str, list[Bar]]:
    """Bars of what has the same unit, but for sizes."""
    groups: dict[str, list[Bar]] = {}
    for result in results:
        if result.ours is not None:
            unit, of, size = result.unit.partition(" of ")
            groups.setdefault(unit, []).append(
                Bar(size if of else "", result.ours, result.peer, f"{result.ratio:.2f}x")
            )
    return groups


def spread(result: Result) -> Spread:
    """Of both, where there are both."""
    pairs = [result.beside[name] for name in PERCENTILES]
    name = result.unit.partition(" of ")[2] or "at the knee"
    return Spread(name, [mine for mine, _ in pairs], [theirs for _, theirs in pairs if theirs is not None])


def ramp(result: Result) -> list[Line]:
    """Both ways up, in the order of the loads."""
    assert result.steps is not None
    lines = []
    for kind, steps in zip(("ours", "peer"), result.steps, strict=True):
        ordered = sorted(steps, key=lambda step: step["load"])
        for name, faint in (("us p50", " faint"), ("us p99", "")):
            points = [(step["load"], max(0.1, step[name])) for step in ordered]
            lines.append(Line(kind + faint, f"{kind} {name}", points))
    return lines


def numbers(results: Sequence[Result]) -> str:
    """The table."""
    beside = list(dict.fromkeys(name for result in results for name in result.beside))
    peers = {result.peer_name for result in results}
    only = next(iter(peers)) if len(peers) == 1 else None
    head = ["", "ours", only or "peer", "ratio", "target", *beside]
    rows = "".join(row(result, beside, named=only is None) for result in results)
    cells = "".join(f"<th>{escape(each)}</th>" for each in head)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"


def row(result: Result, beside: Sequence[str], *, named: bool) -> str:
    """One entry; ``named``: with the name of its peer."""
    verdict = "met" if result.met else "missed"
    of = result.peer_name if named else ""
    peer = f' <span class="of">beside {escape(of)}</span>' if of else ""
    ratio = "-" if result.ratio is None else f"{result.ratio:.2f}x"
    target = f"{result.target:.2f}x" if result.peer_name else f"{result.target:g}"
    cells = [
        f"<td>{escape(result.unit)}{peer}</td>",
        f"<td>{said(result.ours)}</td><td>{said(result.peer)}</td>",
        f'<td class="{verdict}">{ratio}</td><td>{target}</td>',
        *(f"<td>{both(result.beside.get(name))}</td>" for name in beside),
    ]
    return f"<tr>{''.join(cells)}</tr>"


def said(value: float | None) -> str:
    """A number, if there is one."""
    return "-" if value is None else short(value)


def both(pair: tuple[float, float | None] | None) -> str:
    """Ours, and the peer's in a softer colour."""
    if pair is None:
        return ""
    theirs = "" if pair[1] is None else f' <span class="of">/ {said(pair[1])}</span>'
    return f"{said(pair[0])}{theirs}"
