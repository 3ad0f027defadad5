"""``penstock graph``: a pipeline as lanes of text, as a Mermaid diagram or as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from penstock.cli import figures, lanes, terminal
from penstock.cli.document import document
from penstock.cli.group import VerbCommand
from penstock.cli.options import app_argument, config_options, json_option
from penstock.cli.table import table

if TYPE_CHECKING:
    from penstock.pipeline.plan import By, JoinPlan, LinkPlan, Plan, StagePlan, WindowPlan


@click.command(
    cls=VerbCommand, examples=["penstock graph app.py", "penstock graph app.py --format mermaid > graph.mmd"]
)
@app_argument
@click.option(
    "--format", "style", type=click.Choice(["text", "mermaid", "json"]), default="text", show_default=True
)
@config_options
@json_option
def graph(app: str | None, style: str, flags: tuple[str, ...], profile: str | None, as_json: bool) -> None:
    """Draw how a pipeline is wired.

    Nothing is started; the stages' own libraries need not be here.
    """
    from penstock.cli import appfile

    plan = appfile.load(app).plan(flags, profile)
    if as_json or style == "json":
        terminal.data(as_document(plan))
    elif style == "mermaid":
        terminal.data(as_mermaid(plan))
    else:
        terminal.data(as_lanes(plan, ascii_only=not _draws_lines(sys.stdout.encoding)))


def as_document(plan: Plan) -> str:
    """The plan as it is."""
    import msgspec

    from penstock.config.redaction import redacted

    told = msgspec.to_builtins(plan)
    told["config"] = redacted(told["config"])
    for stage in told["stages"]:
        stage["variables"] = redacted(stage["variables"])
    return document("graph", **told)


def as_mermaid(plan: Plan) -> str:
    """For Markdown pages and wikis that draw Mermaid."""
    number = {stage.name: f"s{position}" for position, stage in enumerate(plan.stages)}
    lines = ["flowchart LR"]
    lines += [f"    {number[stage.name]}{_mermaid_node(stage)}" for stage in plan.stages]
    lines += [
        f"    {number[link.source]} {_mermaid_arrow(_link_label(plan, link))} {number[link.target]}"
        for link in plan.links
    ]
    return "\n".join(lines)


def as_lanes(plan: Plan, *, ascii_only: bool = False) -> str:
    """Lanes on the left, what each stage is on the right."""
    stages = {stage.name: stage for stage in plan.stages}
    targets = {name: [link.target for link in plan.links if link.source == name] for name in stages}
    rows = []
    for row in lanes.draw(targets):
        drawn = lanes.in_ascii(row.lanes) if ascii_only else row.lanes
        rows.append([terminal.dim(drawn), *(_about(plan, stages[row.stage]) if row.stage else [""] * 4)])
    workers = sum(stage.replicas for stage in plan.stages if not stage.external)
    head = f"{terminal.strong(plan.pipeline)}   {_count(len(stages), 'stage')}   {_count(workers, 'worker')}"
    return "\n".join([head, "", *table(rows)])


def _about(plan: Plan, stage: StagePlan) -> list[str]:
    """The cells of one stage."""
    times = f" x{stage.replicas}" if stage.replicas > 1 else ""
    key = "" if stage.key is None else f"key {_name(stage.key)}"
    dedupe = "dedupe" if stage.dedupe else ""
    said = (key, _in_hand(stage), dedupe, _shape(stage), _ports(plan, stage), stage.interpreter or "")
    notes = [note for note in said if note]
    kind = stage.how if stage.kind == "stage" else stage.kind
    return [terminal.strong(stage.title), kind + times, terminal.dim(str(stage.code)), "   ".join(notes)]


def _in_hand(stage: StagePlan) -> str:
    """How many items it takes at once, and in which way; nothing for one. (The three exclude each other.)"""
    ways = {"batch": stage.batch, "concurrency": stage.concurrency, "threads": stage.threads}
    return "".join(f"{way} {count}" for way, count in ways.items() if count)


def _shape(stage: StagePlan) -> str:
    """``count 10, step 2``, ``gap 30 s, by 'user'``: how one of ours puts items together."""
    from penstock.pipeline.plan import WindowPlan

    shape = stage.shape
    if shape is None:
        return ""
    return ", ".join(_window(shape) if isinstance(shape, WindowPlan) else _join(shape))


def _window(shape: WindowPlan) -> list[str]:
    counts = {"count": shape.count, "step": shape.step}
    times = {"time": shape.time, "step": shape.every, "gap": shape.gap}
    words = [f"{name} {number}" for name, number in counts.items() if number]
    words += [f"{name} {figures.duration(span)}" for name, span in times.items() if span]
    return [*words, *([] if shape.by is None else [f"by {_name(shape.by)}"])]


def _join(shape: JoinPlan) -> list[str]:
    on = " = ".join(dict.fromkeys(_name(by) for by in shape.on))
    return [
        f"on {on}",
        f"within {figures.duration(shape.within)}",
        *([] if shape.how == "inner" else [shape.how]),
    ]


def _ports(plan: Plan, stage: StagePlan) -> str:
    """Where values go that do not simply go to all, each for sure: ports, routes, links that drop."""
    labels: dict[str, list[str]] = {}
    for link in plan.links:
        if link.source == stage.name and _link_label(plan, link):
            labels.setdefault(_link_label(plan, link), []).append(link.target)
    return ", ".join(f"{label}: {' | '.join(names)}" for label, names in labels.items())


def _link_label(plan: Plan, link: LinkPlan) -> str:
    """``[rejected]`` for a port, ``by kind`` for a route, ``drop_oldest`` where items may be dropped, nothing
    for a plain wire."""
    words = [f"[{link.port}]"] if link.port else []
    words += [f"by {_name(route.by)}" for route in plan.routes if link.id in route.links]
    words += [link.on_full] if link.on_full != "block" else []
    limit = plan.stage(link.target).max_age
    words += [f"max_age {figures.duration(limit)}"] if limit is not None else []
    return " ".join(words)


def _name(by: By) -> str:
    return repr(by) if isinstance(by, str) else by.name


def _mermaid_node(stage: StagePlan) -> str:
    times = f" x{stage.replicas}" if stage.replicas > 1 else ""
    more = [note for note in (_in_hand(stage), _shape(stage)) if note]
    text = f'"{_mermaid_text(", ".join([f"{stage.title}{times}", *more]))}"'
    return {"source": f"([{text}])", "sink": f"[/{text}/]"}.get(stage.kind, f"[{text}]")


def _mermaid_arrow(label: str) -> str:
    return f'-- "{_mermaid_text(label)}" -->' if label else "-->"


def _mermaid_text(text: str) -> str:
    return text.replace('"', "#quot;")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _draws_lines(encoding: str | None) -> bool:
    try:
        "●├─".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
