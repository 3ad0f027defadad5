"""What is published: how long that takes who does it, and how much of it a subscriber gets."""

from __future__ import annotations

from penstock.bench.case import Case, Measure
from penstock.bench.stand import Reading, Stand

RAW = "pyzmq PUB/SUB of JSON"


def ours(stand: Stand) -> Reading:
    """Two runs: one with a subscriber, and one with none."""
    return {**stand.pipeline("publish.py"), **stand.pipeline("publish.py", style="alone")}


def raw(stand: Stand) -> Reading:
    """What it cannot send at once, PUB drops; nobody knows how much that was."""
    return {**stand.peer("sub", "pub"), **stand.peer("pub_alone")}


CASES = (
    Case(
        name="publish",
        about="small dicts on a topic, to one subscriber; and to nobody",
        ours=ours,
        peers={RAW: raw},
        measures=(
            Measure(unit="us a value, nobody listens", reading="us", better="less", peers=(RAW,), target=1.0),
            Measure(unit="values/s to one subscriber", peers=(RAW,), target=0.5),
        ),
    ),
)
